// The model file: what a fit found, as JSON that Node and browsers load alike.
import type { NetDocument } from '../../net/document.js';
import { checkModelFile } from './checkFile.js';
import type { Encoder } from './encoder.js';
import type { TargetCode } from './target.js';

/** One kernel and noise with its score: mean log predictive density of left-out rows (nats). */
export interface Candidate {
  readonly method: 'nngp' | 'ntk';
  /** Hidden layers of the automatic net; null for a net of yours. */
  readonly depth: number | null;
  readonly diagReg: number;
  readonly score: number;
}

/** Everything a model is: its training rows, encoded, and the choices made. */
export interface ModelFile {
  readonly format: 'infinite-width/table-model';
  readonly version: 1;
  readonly encoder: Encoder;
  readonly target: TargetCode;
  readonly net: NetDocument;
  readonly method: 'nngp' | 'ntk';
  readonly diagReg: number;
  /** Steps of gradient flow at learning rate 1; null: the limit. */
  readonly time: number | null;
  readonly rows: number;
  /** (rows, encoder.features) */
  readonly x: Float64Array;
  /** (rows, outputs) */
  readonly y: Float64Array;
  readonly labels: readonly number[] | null;
  readonly candidates: readonly Candidate[];
  /** Classification by a flow of the cross-entropy: its dual coefficients (rows, outputs), and what five folds said. */
  readonly flow?: { readonly weights: Float64Array; readonly foldAccuracy: number };
}

/** The file as a JSON text. */
export function writeModelFile({ x, y, flow, ...rest }: ModelFile): string {
  const arrays = { x: toBase64(x), y: toBase64(y) };
  const content = {
    ...rest,
    ...arrays,
    ...(flow ? { flow: { ...flow, weights: toBase64(flow.weights) } } : {}),
  };
  return JSON.stringify({ ...content, digest: digestOf(content) });
}

/** The file in a text that `writeModelFile` wrote. RangeError for anything else. */
export function readModelFile(text: string): ModelFile {
  let found: ModelFile & { x: unknown; y: unknown; digest: unknown };
  try {
    found = JSON.parse(text) as typeof found;
  } catch {
    throw new RangeError('loadModel: the text is no JSON. Is it a model file of infinite-width predict?');
  }
  if (found?.format !== 'infinite-width/table-model')
    throw new RangeError('loadModel: this is no model file of infinite-width predict');
  if (found.version !== 1)
    throw new RangeError(`loadModel: version ${String(found.version)} is not known here`);
  const { digest, ...file } = found;
  if (digest !== digestOf(file))
    throw new RangeError('loadModel: the file is damaged: its content has changed. Save the model anew.');
  const [x, y] = [fromBase64(file.x), fromBase64(file.y)];
  const flow = file.flow && { ...file.flow, weights: fromBase64(file.flow.weights) };
  const model: ModelFile = { ...file, x, y, ...(flow ? { flow } : {}) };
  checkModelFile(model);
  return model;
}

/** FNV-1a of the JSON text, 2 x 32 bits: a guard against damage, not against intent. */
export function digestOf(content: object): string {
  const text = JSON.stringify(content);
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(text.length - 1 - i), 0x01000193);
  }
  return [a, b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function toBase64(data: Float64Array): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x6000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x6000));
  return btoa(text);
}

function fromBase64(text: unknown): Float64Array {
  if (typeof text !== 'string') throw new RangeError('loadModel: the file is damaged: an array is missing');
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new RangeError('loadModel: the file is damaged: an array is no base64');
  }
  if (bytes.length % 8 !== 0) throw new RangeError('loadModel: the file is damaged: an array is cut');
  return new Float64Array(bytes.buffer);
}
