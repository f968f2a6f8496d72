import { VolumeError } from './errors.ts';
import type { Location } from './frame.ts';
import { readJournal } from './journal.ts';
import type { Chain } from './recovery.ts';
import type { Segments } from './segments.ts';

type TreeOperation =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

/** What a chain leads to: the tree of its last checkpoint, the changes after it, and the live bytes. */
export function replay(
  chain: Chain,
  segments: Segments,
): { root: Location; operations: TreeOperation[]; usage: Map<number, number> } {
  let root: Location | undefined;
  let operations: TreeOperation[] = [];
  let usage = new Map<number, number>();
  for (const { record, journal } of chain.commits) {
    if (record.root) {
      root = record.root;
      operations = [];
      usage = new Map();
    }
    for (const { segment, offset, type, length } of journal) {
      const batch = segments.openAt(segment, offset, type, length);
      if (!batch)
        throw new VolumeError('VOLUME_DAMAGED', `volume: the journal frame at ${segment}:${offset} changed`);
      readJournal(batch, (operation) => {
        if (operation.kind === 'usage') usage.set(operation.segment, operation.live);
        else operations.push(operation);
      });
    }
  }
  if (!root) throw new VolumeError('VOLUME_DAMAGED', 'volume: a checkpoint expected, none found');
  return { root, operations, usage };
}
