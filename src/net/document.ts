// The Net document: JSON in, a frozen tree with every default filled in out.
import { layerLabel, type Fields } from '../layers/fields.js';
import { descriptorOf, inside, isActivation, LAYERS } from '../layers/registry.js';
import type { Layer, LayerName } from '../layers/vocabulary.js';
import { kindOf } from '../wasm/engine.js';
import { checkChain } from './width-chain.js';

/** A layer as written: fields with defaults may be left out. */
export interface LayerDocument {
  readonly layer: string;
  readonly [field: string]: unknown;
}
/** A network as written; a bare array is a serial. */
export type NetDocument = LayerDocument | Layer | readonly NetDocument[];
/** A network as parsed. */
export type Net = Layer;

const parsed = new WeakSet<object>();

/**
 * Checks a Net document and fills in its defaults. Parsing a parsed net returns it. Errors (`RangeError`, `TypeError`)
 * name the layer by path, such as `layers.3 (conv)`, and the rule.
 */
export function parseNet(document: NetDocument): Net {
  if (typeof document === 'object' && document !== null && parsed.has(document)) return document as Net;
  const net = parseLayer(document, '');
  checkSize(net);
  checkChain(net);
  parsed.add(net);
  return net;
}

/** The shortest document of a parsed net: fields equal to their defaults are left out. */
export function toJson(net: NetDocument): LayerDocument {
  return shorten(parseNet(net));
}

/** @internal one layer without the checks of the whole; builders use it on what they are given. */
export function parseLayer(document: unknown, path: string): Layer {
  if (path.length > MOST_PATH && path.split('.').length > 2 * MOST_DEPTH) {
    throw new RangeError(`net: layers are nested more than ${MOST_DEPTH} deep. Does a layer hold itself?`);
  }
  if (Array.isArray(document)) return parseLayer({ layer: 'serial', layers: document }, path);
  if (typeof document !== 'object' || document === null) {
    throw new TypeError(
      `net: ${path || 'the net'} must be a layer such as { "layer": "relu" } or a list of layers, got ${shown(document)}.`,
    );
  }
  const given = document as Record<string, unknown>;
  const name = given['layer'];
  if (typeof name !== 'string') {
    const fields = Object.keys(given).join(', ') || 'none';
    throw new RangeError(
      `net: ${path || 'the net'} must name its layer, { "layer": "dense", "units": 512 }, got ${name === undefined ? `the fields ${fields}` : shown(name)}. A list of layers may stand alone: [...].`,
    );
  }
  if (!Object.hasOwn(LAYERS, name)) {
    const names = Object.keys(LAYERS);
    const meant = names.find((known) => known.toLowerCase() === name.toLowerCase().replace(/[^a-z]/g, ''));
    throw new RangeError(
      `net: ${path || 'the net'} has unknown layer ${shown(name)}${meant ? `, is it "${meant}"?` : '.'} Layers: ${names.join(', ')}.`,
    );
  }
  return Object.freeze(parseFields(given, name as LayerName, path)) as unknown as Layer;
}

/** Deeper documents and longer nets are mistakes: a document that holds itself, or a repeat within a repeat. */
const MOST_DEPTH = 200;
const MOST_PATH = 2 * MOST_DEPTH;
const MOST_LAYERS = 100_000;

/** RangeError for nets of too many layers, the copies of a repeat counted: every layer of a net is kept in memory. */
function checkSize(net: Layer): void {
  const count = countLayers(net);
  if (count <= MOST_LAYERS) return;
  throw new RangeError(
    `net: it has ${count} layers, the copies of repeats counted, the limit is ${MOST_LAYERS}. Lower "times".`,
  );
}

function countLayers(layer: Layer): number {
  const descriptor = descriptorOf(layer);
  const children = inside(layer);
  const once = children.reduce((sum, child) => sum + countLayers(child), 0);
  const copies = descriptor.kind === 'sequence' ? descriptor.steps(layer).length / children.length || 0 : 1;
  return 1 + copies * once;
}

/** A value of a document in an error: as JSON where it has one, and not all of a long one. */
function shown(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    return kindOf(value); // it holds itself, or a bigint
  }
  return text === undefined ? kindOf(value) : text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

function parseFields(given: Record<string, unknown>, name: LayerName, path: string): object {
  const fields: Fields = LAYERS[name].fields;
  const label = layerLabel(path, name);
  for (const key of Object.keys(given)) {
    if (key === 'layer' || Object.hasOwn(fields, key)) continue;
    const allowed = Object.keys(fields);
    throw new RangeError(
      `net: ${label} has unknown field "${key}". ${allowed.length ? `Fields: ${allowed.join(', ')}.` : 'It has no fields.'}`,
    );
  }
  const result: Record<string, unknown> = { layer: name };
  for (const [key, field] of Object.entries(fields)) {
    const isGiven = given[key] !== undefined;
    if (!isGiven && !field.fallback) {
      throw new RangeError(`net: ${label} needs "${key}": ${field.rule}.`);
    }
    const value = isGiven ? given[key] : field.fallback!(given);
    if (!field.accepts(value)) {
      throw new RangeError(`net: ${label}: "${key}" must be ${field.rule}, got ${shown(value)}.`);
    }
    result[key] = parseChild(key, field.normalise ? field.normalise(value) : value, path);
  }
  for (const size of ['filter', 'window'] as const) {
    const sizes = result[size] as number[] | undefined;
    const strides = result['strides'] as number[] | undefined;
    if (sizes && strides && sizes.length !== strides.length) {
      throw new RangeError(
        `net: ${label}: "strides" must have one entry per entry of "${size}", got ${shown(strides)} for ${shown(sizes)}.`,
      );
    }
  }
  return result;
}

function parseChild(key: string, value: unknown, path: string): unknown {
  const at = (part: string | number): string => (path ? `${path}.${part}` : `${part}`);
  if (key === 'net') return parseLayer(value, at('net'));
  if (key === 'activation') {
    const layer = parseLayer(value, at(key));
    if (isActivation(layer)) return layer;
    throw new RangeError(`net: ${layerLabel(at(key), layer.layer)} must be an activation.`);
  }
  if (key === 'layers' || key === 'branches') {
    return Object.freeze((value as unknown[]).map((child, i) => parseLayer(child, at(`${key}.${i}`))));
  }
  return freeze(value);
}

function freeze(value: unknown): unknown {
  return Array.isArray(value) ? Object.freeze(value.map(freeze)) : value;
}

function shorten(layer: Layer): LayerDocument {
  const result: Record<string, unknown> = { layer: layer.layer };
  const given = layer as unknown as Record<string, unknown>;
  for (const [key, field] of Object.entries(LAYERS[layer.layer].fields)) {
    const value = given[key];
    if (key === 'net' || key === 'activation') result[key] = shorten(value as Layer);
    else if (key === 'layers' || key === 'branches') result[key] = (value as Layer[]).map(shorten);
    else if (JSON.stringify(value) !== JSON.stringify(field.fallback?.(given))) result[key] = value;
  }
  return result as LayerDocument;
}
