"""Applies tables of `infinite-width scaling rules` in plain PyTorch and compares six steps with the package mup 1.0.0.

venv/bin/python bench/torch/apply_table.py   (after a build; torch and mup as for optimizers.py)

Prints the largest relative difference of the losses for SGD and AdamW.
"""
import json, pathlib, subprocess, tempfile
import torch
from torch import nn
from mup import MuReadout, MuAdamW, MuSGD, set_base_shapes

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
MAIN = pathlib.Path(__file__).resolve().parents[2] / "build" / "cli" / "main.js"
KINDS = {"0": "input", "2": "hidden", "4": "readout"}


def net(width, readout):
    return nn.Sequential(nn.Linear(10, width), nn.ReLU(), nn.Linear(width, 2 * width), nn.ReLU(), readout(2 * width, 3))


def table(model, optimizer, factor):
    """The ten lines a user writes: shapes and kinds out, numbers back."""
    shapes = []
    for name, p in model.named_parameters():
        kind = KINDS[name[0]]
        if name.endswith("bias"):
            kind = "readoutBias" if kind == "readout" else "bias"
        shapes.append(dict(name=name, shape=list(p.shape), kind=kind))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(shapes, file)
        file.flush()
        command = ["node", str(MAIN), "scaling", "rules", "--rule", "mup", "--optimizer", optimizer, "--net", file.name]
        values = ["--width-factor", str(factor), "--learning-rate", "0.02", "--weight-decay", "0.1", "--json"]
        return json.loads(subprocess.run(command + values, capture_output=True, check=True, text=True).stdout)


for optimizer, Mu, Plain in (("sgd", MuSGD, torch.optim.SGD), ("adamw", MuAdamW, torch.optim.AdamW)):
    torch.manual_seed(0)
    a = net(96, MuReadout)
    set_base_shapes(a, net(16, MuReadout), delta=net(24, MuReadout))
    b = net(96, nn.Linear)
    b.load_state_dict(a.state_dict())
    rows = table(b, optimizer, 96 / 16)["parameters"]
    parameters = dict(b.named_parameters())
    keys = dict(lr="lr", weight_decay="weightDecay", **(dict(eps="eps") if optimizer == "adamw" else {}))
    groups = [dict(params=[parameters[row["name"]]], **{key: row[name] for key, name in keys.items()}) for row in rows]
    ours, theirs = Plain(groups, lr=0.02), Mu(a.parameters(), lr=0.02, weight_decay=0.1)
    forward = next(row["forward"] for row in rows if row["kind"] == "readout")
    x, y = torch.randn(32, 10), torch.randn(32, 3)
    worst = 0
    for _ in range(6):
        hidden = b[:4](x)
        losses = [(a(x) - y).pow(2).mean(), (nn.functional.linear(forward * hidden, b[4].weight, b[4].bias) - y).pow(2).mean()]
        worst = max(worst, abs(losses[0].item() / losses[1].item() - 1))
        for own, loss in zip((theirs, ours), losses):
            own.zero_grad()
            loss.backward()
            own.step()
    print(f"{optimizer}: largest relative difference of losses over six steps {worst:.1e}, last loss {losses[0].item():.6f}")
