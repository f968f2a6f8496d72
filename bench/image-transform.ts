/** One transform in a process of its own, as a user's would be: `image-transform.ts FROM TO RUNTIME-LAYER ITS-DIGEST`. */
import { statSync } from 'node:fs';
import { parseReference } from '@ensconce/image/reference';
import { transformImage } from '@ensconce/image/transform';

const [from = '', to = '', runtime = '', digest = ''] = process.argv.slice(2);
let memory = 0;
const result = await transformImage({
  from: parseReference(from),
  to: parseReference(to),
  runtime: {
    path: runtime,
    digest,
    diffId: digest,
    size: statSync(runtime).size,
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    runtimeDigest: '0'.repeat(64),
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
  },
  casIdentity: '0'.repeat(64),
  casSimulated: true,
  familySecret: new Uint8Array(32).fill(1),
  overrides: { entrypoint: ['/bin/true'] },
  onProgress: () => (memory = Math.max(memory, process.memoryUsage.rss())),
});
console.log(JSON.stringify({ ...result.sizes, memory, reused: result.layers.map(({ reused }) => reused) }));
