/** `serve-volume.ts DIRECTORY MOUNTPOINT TAG`, with the key on stdin: serves a volume until stdin ends. */
import { mountVolume } from '@ensconce/volume/mount';

const [directory = '', mountpoint = '', path = ''] = process.argv.slice(2);
const volumeKey = await new Promise<Buffer>((resolve) => process.stdin.once('data', resolve));
const served = await mountVolume({
  directory,
  mountpoint,
  volumeKey,
  keeper: { kind: 'file', path },
  log: (line) => console.error(line),
});
process.stdin.once('end', () => {
  served.unmount({ lazy: true }).catch((error: unknown) => console.error(error));
});
console.log('mounted');
