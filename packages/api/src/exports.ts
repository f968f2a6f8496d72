import * as v from 'valibot';

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits expected'));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(1536));

const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, '32 lower-case hexadecimal digits expected'));

/** Secrets in one question, at most. */
export const mostExports = 256;

/** `POST /v1/exports`: one CAS asks another for what that exports to a session of the first (docs/protocol/client-api.md). */
export const exportRequest = v.strictObject({
  /** The session of the asking CAS, its id there and its session hash. */
  importer: v.strictObject({ session: name, id, hash }),
  secrets: v.pipe(
    v.array(v.strictObject({ session: name, secret: name, sessionHash: v.optional(hash) })),
    v.minLength(1),
    v.maxLength(mostExports),
  ),
  /** The secrets on the way to here, `KEY-HASH-OF-CAS/session:secret`: a circle of imports ends. */
  path: v.pipe(v.array(v.pipe(v.string(), v.maxLength(4096))), v.maxLength(64)),
  /** Milliseconds that the asking CAS will wait. */
  timeout: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(60_000)),
});
export type ExportRequest = v.InferOutput<typeof exportRequest>;

/** In the order of the question: each value in the form of `packages/secrets/src/stored.ts`, and the id of its session. */
export const exportAnswer = v.strictObject({
  exports: v.pipe(v.array(v.strictObject({ value: v.unknown(), id })), v.maxLength(mostExports)),
});
export type ExportAnswer = v.InferOutput<typeof exportAnswer>;
