/** The entry of a worker of `UnitCheck`: reads units and says which are not what was written. */
import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { DirectoryBacking } from './backing.ts';
import { recordSize, type BatchResult, type CheckWorkerStart, type DamagedUnit } from './check-units.ts';
import { evpAead } from './evp-aead.ts';
import { frameType } from './frame.ts';
import { VolumeKeys } from './keys.ts';
import { Segments } from './segments.ts';
import { UnprotectedTagKeeper } from './tag-keeper.ts';
import { cellBytes, decodeCell } from './units.ts';
import { readVolumeHeader } from './volume-header.ts';

const { directory, volumeKey, koffiPath, over } = workerData as CheckWorkerStart;
const backing = new DirectoryBacking(directory, true);
const header = readVolumeHeader(backing, volumeKey, new UnprotectedTagKeeper());
const keys = new VolumeKeys(header.master, header.volumeId);
const segments = new Segments({ backing, keys, aead: evpAead(koffiPath), random: randomBytes });
const out = new Uint8Array(cellBytes);

parentPort?.on('message', (batch: Uint8Array | undefined) => {
  if (batch === undefined) parentPort?.close();
  if (batch === undefined || Atomics.load(over, 0) !== 0) return;
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const damaged: DamagedUnit[] = [];
  let bytes = 0;
  for (let at = 0; at < batch.length; at += recordSize) {
    for (const { segment, offset, length, tag } of decodeCell(batch.subarray(at + 16, at + recordSize))) {
      bytes += length;
      try {
        segments.read(frameType.unit, segment, offset, length, tag, out.subarray(0, length));
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'not an error was thrown';
        damaged.push({ ino: view.getFloat64(at), cell: view.getFloat64(at + 8), reason });
      }
    }
  }
  parentPort?.postMessage({ bytes, damaged } satisfies BatchResult, []);
});
