import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { describeIssue } from '@ensconce/base/issue';
import { parseJson } from '@ensconce/base/json';
import { CliError } from '../errors.ts';

const hex = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/));

const schema = v.strictObject({
  architecture: v.picklist(['amd64', 'arm64']),
  runtimeDigest: hex,
  released: v.boolean(),
  layer: v.strictObject({
    path: v.string(),
    mediaType: v.string(),
    digest,
    diffId: digest,
    size: v.number(),
  }),
});

/** The runtime layer that confidential images are made with. */
export type BuiltRuntimeLayer = v.InferOutput<typeof schema>;

const sizeLimit = 65_536;
const built = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  '..',
  '..',
  '.cache',
  'runtime',
  'current.json',
);

/** Reads the description of a runtime layer; by default that of the one that `npm run setup` built. */
export function runtimeLayer(file: string = built): BuiltRuntimeLayer {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: the description of a runtime layer expected, none found`, {
      cause,
      hint: 'build it: npm run setup',
    });
  }
  const parsed = v.safeParse(schema, parseJson(bytes, file, sizeLimit));
  if (!parsed.success) {
    throw new CliError('CLI_FILE', `${file}: ${describeIssue(parsed.issues[0])}`);
  }
  return parsed.output;
}
