// The model file as JSON that Node and browsers load alike.
import { checkModelFile, type ModelFile } from './model-file.js';

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
  if (found.version !== 2)
    throw new RangeError(
      `loadModel: the file has version ${String(found.version)}, this package reads version 2. Fit the table again.`,
    );
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
