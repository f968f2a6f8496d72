/** `serve-volume.ts DIRECTORY MOUNTPOINT TAG DURABILITY`: serves a volume until SIGTERM, or until it is killed. */
import { mountVolume } from '../src/mount.ts';
import type { Durability } from '../src/settlement.ts';

const [directory = '', mountpoint = '', tag = '', durability = 'settled'] = process.argv.slice(2);
const served = await mountVolume({
  directory,
  mountpoint,
  volumeKey: new Uint8Array(32).fill(3),
  keeper: { kind: 'file', path: tag },
  durability: durability as Durability,
  log: (line) => console.error(line),
});
process.once('SIGTERM', () => {
  served.unmount({ lazy: true }).catch((error: unknown) => console.error(error));
});
console.log('mounted');
