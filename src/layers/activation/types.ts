// Activations. As parsed: every field is present, defaults are filled in.
/** Activations; the parameters of the functions are those of the documents. */
export type ActivationLayer =
  | {
      readonly layer:
        | 'relu'
        | 'abs'
        | 'sign'
        | 'sigmoidLike'
        | 'gabor'
        | 'tanh'
        | 'sigmoid'
        | 'softplus'
        | 'swish'
        | 'selu'
        | 'mish'
        | 'softsign'
        | 'hardTanh'
        | 'hardSigmoid'
        | 'hardSwish'
        | 'relu6';
    }
  | { readonly layer: 'leakyRelu' | 'elu'; readonly alpha: number }
  | { readonly layer: 'abRelu' | 'exp' | 'gaussian'; readonly a: number; readonly b: number }
  | {
      readonly layer: 'erf' | 'sin' | 'cos';
      readonly a: number;
      readonly b: number;
      readonly c: number;
    }
  | { readonly layer: 'gelu'; readonly approximate: boolean }
  | { readonly layer: 'rbf'; readonly gamma: number }
  | {
      readonly layer: 'expNormalized';
      readonly gamma: number;
      readonly shift: number;
      readonly doClip: boolean;
    }
  | { readonly layer: 'hermite' | 'monomial' | 'rectifiedMonomial'; readonly degree: number }
  | { readonly layer: 'polynomial'; readonly coefficients: readonly number[] }
  /** A function in code, by the name `defineActivation` gave it. */
  | { readonly layer: 'elementwise'; readonly name: string };
