// Where the propagation of a net starts whose first layers stretch by offsets: at their end.
import { padded, type Joint, type Side } from '../../layers/states/state.js';
import type { Core } from '../../wasm/engine.js';
import type { Stretch } from './compiled-net.js';
import { imagesOf } from '../offsets/tile.js';
import { jointByOffsets, sideByOffsets } from '../offsets/stretch-rule.js';
import { blockOf } from './flat-tile.js';
import type { TileParams } from '../tiles/tile-params.js';

/** Where the rest of a net starts. */
export interface Front {
  readonly joint: Joint;
  /** One where both sides are the same samples. */
  readonly sides: readonly Side[];
}

/** The state of a tile after the first layers of its net. */
export function afterImages(core: Core, params: TileParams, stretch: Stretch): Front {
  const { x1, x2, maskConstant, ntk } = params;
  const sides = (x2 ? [x1, x2] : [x1]).map((x) => sideByOffsets(core, stretch, imagesOf(x, maskConstant)));
  const size = { rows: x1.shape[0]!, ld: padded((x2 ?? x1).shape[0]!), ntk };
  const records = [sides[0]!.note, sides.at(-1)!.note] as const;
  const joint = jointByOffsets(core, stretch, null, { sides: records, block: blockOf(params, 0), size });
  sides.forEach(({ note }) => note.release?.());
  return { joint, sides: sides.map(({ side }) => side) };
}
