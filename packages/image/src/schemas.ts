import * as v from 'valibot';
import { parseJson } from '@ensconce/base/json';
import { ImageError } from './errors.ts';

// OCI image specification 1.1. It tells readers to ignore what they do not know, so these are the only open schemas.

const digest = v.pipe(v.string(), v.maxLength(200));
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const strings = v.nullish(v.array(v.string()));

export const platformSchema = v.object({
  architecture: v.string(),
  os: v.string(),
  variant: v.optional(v.string()),
});

export const descriptorSchema = v.object({
  mediaType: v.string(),
  digest,
  size,
  annotations: v.nullish(v.record(v.string(), v.string())),
  platform: v.nullish(platformSchema),
});
export type Descriptor = v.InferOutput<typeof descriptorSchema>;

export const layoutSchema = v.object({ imageLayoutVersion: v.pipe(v.string(), v.regex(/^1\./)) });

export const indexSchema = v.object({
  schemaVersion: v.literal(2),
  manifests: v.pipe(v.array(descriptorSchema), v.maxLength(10_000)),
});

/** `index.json` as it is kept when an image is added: what is not known stays. */
export const keptIndexSchema = v.looseObject({
  schemaVersion: v.literal(2),
  manifests: v.pipe(
    v.array(v.looseObject({ digest, size, annotations: v.nullish(v.record(v.string(), v.string())) })),
    v.maxLength(10_000),
  ),
});

export const manifestSchema = v.object({
  schemaVersion: v.literal(2),
  config: descriptorSchema,
  layers: v.pipe(v.array(descriptorSchema), v.maxLength(1000)),
  annotations: v.nullish(v.record(v.string(), v.string())),
});
export type Manifest = v.InferOutput<typeof manifestSchema>;

export const configSchema = v.object({
  architecture: v.string(),
  os: v.string(),
  variant: v.optional(v.string()),
  config: v.nullish(
    v.object({
      User: v.nullish(v.string()),
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      WorkingDir: v.nullish(v.string()),
      ExposedPorts: v.nullish(v.record(v.string(), v.unknown())),
      Volumes: v.nullish(v.record(v.string(), v.unknown())),
      Labels: v.nullish(v.record(v.string(), v.string())),
      StopSignal: v.nullish(v.string()),
      Healthcheck: v.optional(v.unknown()),
      OnBuild: strings,
    }),
  ),
  history: v.nullish(v.array(v.unknown())),
  author: v.nullish(v.string()),
  rootfs: v.object({ type: v.literal('layers'), diff_ids: v.pipe(v.array(digest), v.maxLength(1000)) }),
});
export type ImageConfig = v.InferOutput<typeof configSchema>;

/** The largest JSON document that is read, as registries limit it too. */
export const maxDocument = 4 * 1_048_576;

const hint = 'this is no OCI image, or it was damaged on its way: copy it again';

/** Reads a JSON document from untrusted bytes. */
export function parseDocument<const Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array,
  what: string,
): v.InferOutput<Schema> {
  let json: unknown;
  try {
    json = parseJson(bytes, what, maxDocument);
  } catch (cause) {
    throw new ImageError('IMAGE_SCHEMA', `${what}: a JSON document expected, something else found`, {
      cause,
      hint,
    });
  }
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new ImageError('IMAGE_SCHEMA', `${what}: ${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`, {
    hint,
  });
}
