/** `serve-volume.ts DIRECTORY MOUNTPOINT TAG`: serves a volume until SIGTERM, or until it is killed. */
import { mountVolume } from '../src/mount.ts';

const [directory = '', mountpoint = '', tag = ''] = process.argv.slice(2);
const served = await mountVolume({
  directory,
  mountpoint,
  volumeKey: new Uint8Array(32).fill(3),
  keeper: { kind: 'file', path: tag },
  log: (line) => console.error(line),
});
process.once('SIGTERM', () => {
  served.unmount({ lazy: true }).catch((error: unknown) => console.error(error));
});
console.log('mounted');
