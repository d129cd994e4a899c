import { tensor, xorMixture as mixture, type BinaryProblem } from 'infinite-width';

/** An XOR mixture split into a training and a test set. */
export function xorMixture(train: number, test: number, inputs: number, seed = 1): BinaryProblem {
  const { x, y } = mixture({ samples: train + test, features: inputs, seed });
  return {
    xTrain: tensor(x.data.slice(0, train * inputs), [train, inputs]),
    yTrain: tensor(y.data.slice(0, train)),
    xTest: tensor(x.data.slice(train * inputs), [test, inputs]),
    yTest: tensor(y.data.slice(train)),
  };
}
