import { utf8 } from '@ensconce/base/bytes';
import type { LayerEntry } from '../entry.ts';
import { attributes, type Content } from './sealing.ts';

const noise = new Uint8Array(700).map((_, i) => (i * i * 31 + i * 7) & 0xff);

/** One of everything that the format can hold; golden/v1.sealed was made from it with the key 07 × 32. */
export const goldenEntries: readonly (readonly [LayerEntry, Content])[] = [
  [{ kind: 'directory', path: utf8('./'), ...attributes, mode: 0o755 }, undefined],
  [{ kind: 'directory', path: utf8('bin/'), ...attributes, mode: 0o755, mtimeSeconds: -5 }, undefined],
  [
    {
      kind: 'file',
      path: utf8('bin/su'),
      ...attributes,
      mode: 0o4755,
      xattrs: [{ name: utf8('security.capability'), value: new Uint8Array([1, 0, 0, 2, 0]) }],
    },
    utf8('#!/bin/sh\n'.repeat(30)),
  ],
  [{ kind: 'hardlink', path: utf8('bin/sudo'), target: utf8('bin/su') }, undefined],
  [{ kind: 'symlink', path: utf8('sh'), target: utf8('bin/su'), ...attributes, mode: 0o777 }, undefined],
  [{ kind: 'character', path: utf8('dev/null'), major: 1, minor: 3, ...attributes }, undefined],
  [{ kind: 'block', path: utf8('dev/sda'), major: 8, minor: 0, ...attributes }, undefined],
  [{ kind: 'fifo', path: utf8('dev/pipe'), ...attributes }, undefined],
  [{ kind: 'file', path: new Uint8Array([0x66, 0xff, 0xfe]), ...attributes }, noise],
  [{ kind: 'file', path: utf8('empty'), ...attributes, uid: 1000, gid: 1000 }, new Uint8Array(0)],
  [
    { kind: 'file', path: utf8('sparse'), ...attributes },
    Buffer.concat([Buffer.alloc(40_960), utf8('tail')]),
  ],
  [{ kind: 'file', path: utf8('etc/.wh.motd'), ...attributes }, undefined],
  [{ kind: 'file', path: utf8('var/.wh..wh..opq'), ...attributes }, undefined],
];
