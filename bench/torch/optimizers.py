"""Writes test/reference/torch/*.json.gz: optimisers of PyTorch over 50 steps, and trajectories of the package mup 1.0.0.

python -m venv venv && venv/bin/pip install torch mup numpy && venv/bin/python bench/torch/optimizers.py

All in float64. Starts come from a small integer generator that the tests repeat, so that only results are stored.
torch.optim.Muon iterates in bfloat16; `bfloat16` is replaced by float64 here, so that its formulas can be compared to 1e-8.
"""
import gzip, json, pathlib
import torch
from torch import nn
from mup import MuReadout, MuAdam, MuAdamW, MuSGD, set_base_shapes

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).resolve().parents[2] / "test" / "reference" / "torch"


class Stream:
    """x <- 16807 x mod (2^31 - 1), as numbers from -1 to 1."""

    def __init__(self, seed):
        self.x = seed

    def take(self, *shape):
        count = 1
        for n in shape:
            count *= n
        values = []
        for _ in range(count):
            self.x = 16807 * self.x % 2147483647
            values.append(2 * self.x / 2147483647 - 1)
        return torch.tensor(values).reshape(shape)


def fill(module, stream):
    """Weights and biases uniform within 1/sqrt(fan-in), in the order of the layers."""
    for layer in [m for m in module.modules() if isinstance(m, nn.Linear)]:
        bound = layer.in_features ** -0.5
        with torch.no_grad():
            layer.weight.copy_(stream.take(*layer.weight.shape) * bound)
            if layer.bias is not None:
                layer.bias.copy_(stream.take(*layer.bias.shape) * bound)


def save(name, value):
    HERE.mkdir(parents=True, exist_ok=True)
    with open(HERE / f"{name}.json.gz", "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
            file.write(json.dumps(value, separators=(",", ":")).encode())


class Lion(torch.optim.Optimizer):
    """The update of arXiv:2302.06675, which torch does not have."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(torch.sign(b1 * m + (1 - b1) * p.grad), alpha=-group["lr"])
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


def optimizers(net):
    """Name -> optimisers that step together."""
    p = list(net.parameters())
    weights = [m.weight for m in net.modules() if isinstance(m, nn.Linear)]
    hidden = weights[1:-1]
    rest = [q for q in p if all(q is not h for h in hidden)]
    t = torch.optim
    muon = lambda **more: [
        t.Muon(hidden, lr=0.02, weight_decay=0.1, momentum=0.9, **more),
        t.AdamW(rest, lr=0.01, weight_decay=0.05),
    ]
    return {
        "sgd": [t.SGD(p, lr=0.1, weight_decay=0.03)],
        "momentum": [t.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.03)],
        "nesterov": [t.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.03)],
        "rmsprop": [t.RMSprop(p, lr=0.01, alpha=0.95, eps=1e-6, weight_decay=0.03)],
        "adam": [t.Adam(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.03)],
        "adamw": [t.AdamW(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)],
        "lion": [Lion(p, lr=0.003, betas=(0.9, 0.98), weight_decay=0.3)],
        "muon": muon(),
        "muon plain": muon(nesterov=False, adjust_lr_fn="match_rms_adamw"),
        "muon spectral": muon(adjust_lr_fn="spectral_unclamped"),
        "adamw clipped": [t.AdamW(p, lr=0.01, weight_decay=0.1)],
    }


def steps():
    """Net 5-8-6-9-3 with biases: hidden matrices that widen and that narrow."""
    import torch.optim._muon as muon

    exact = muon._zeropower_via_newtonschulz
    bfloat16, torch.bfloat16 = torch.bfloat16, torch.float64
    runs = {}
    make = lambda: nn.Sequential(
        nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 3)
    )
    for name in optimizers(make()):
        net, stream = make(), Stream(11)
        x, y = stream.take(10, 5), stream.take(10, 3)
        fill(net, stream)
        own = optimizers(net)[name]
        losses = []
        for _ in range(50):
            loss = ((net(x) - y) ** 2).mean() / 2
            losses.append(float(loss))
            net.zero_grad()
            loss.backward()
            if name.endswith("clipped"):
                nn.utils.clip_grad_norm_(net.parameters(), 0.05)
            for one in own:
                one.step()
        runs[name] = dict(losses=losses, outputs=net(x).detach().tolist())
    torch.bfloat16 = bfloat16
    assert muon._zeropower_via_newtonschulz is exact
    save("optimizers", runs)


class MLP(nn.Module):
    def __init__(self, width, depth, bias):
        super().__init__()
        self.inp = nn.Linear(6, width, bias=bias)
        self.hid = nn.ModuleList([nn.Linear(width, width, bias=bias) for _ in range(depth - 1)])
        self.out = MuReadout(width, 3, bias=bias)

    def forward(self, x):
        h = torch.relu(self.inp(x))
        for layer in self.hid:
            h = torch.relu(layer(h))
        return self.out(h)


def mup():
    """MLPs of base width 16 with 1 to 3 hidden layers: logits at the start and after each of 5 steps."""
    runs = []
    makers = {
        "sgd": lambda p, eps: MuSGD(p, lr=0.1),
        "momentum": lambda p, eps: MuSGD(p, lr=0.1, momentum=0.9),
        "adam": lambda p, eps: MuAdam(p, lr=1e-3, eps=eps),
        "adamw": lambda p, eps: MuAdamW(p, lr=1e-3, eps=eps, weight_decay=0.5),
        "adam with L2": lambda p, eps: MuAdam(p, lr=1e-3, eps=eps, weight_decay=0.01),
    }
    for depth in (1, 2, 3):
        for bias in (False, True):
            for width in (16, 64, 256):
                for name, maker in makers.items():
                    stream = Stream(100 * depth + width)
                    x = stream.take(8, 6)
                    y = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
                    net = MLP(width, depth, bias)
                    fill(net, stream)
                    set_base_shapes(net, MLP(16, depth, bias), delta=MLP(32, depth, bias))
                    own = maker(net.parameters(), 1e-8)
                    logits = []
                    for _ in range(6):
                        f = net(x)
                        logits.append(f.detach().flatten().tolist())
                        own.zero_grad()
                        nn.functional.cross_entropy(f, y).backward()
                        own.step()
                    runs.append(dict(depth=depth, bias=bias, width=width, optimizer=name, logits=logits))
    save("mup", dict(versions=dict(torch=torch.__version__, mup="1.0.0"), runs=runs))


if __name__ == "__main__":
    steps()
    mup()
