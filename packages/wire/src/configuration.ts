import * as v from 'valibot';

const base64 = v.pipe(v.string(), v.base64());
const permissions = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o7777));
const key32 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{43}=$/, '32 bytes of base64 expected'));
const absolutePath = v.pipe(v.string(), v.maxLength(4096), v.startsWith('/'));

/**
 * What CAS gives an attested service: everything it needs to start, nothing of it from the host
 * (docs/protocol/attestation.md). Secrets are substituted already.
 */
export const configuration = v.strictObject({
  session: v.string(),
  /** Hex SHA-256 of the session as it stood when this was made. */
  sessionHash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  service: v.string(),
  /** After splitting and secret substitution. An argument that is exactly `@@N` stands for host argument N (1 is the first). */
  command: v.pipe(v.array(v.string()), v.minLength(1)),
  environment: v.record(v.string(), v.string()),
  /** Names of variables whose value the host chooses (`\@\@NAME` in the session); absent at the host means empty. */
  hostEnvironment: v.array(v.string()),
  pwd: absolutePath,
  /** As in an OCI image configuration: `uid[:gid]` or names, resolved inside the image; empty means root. */
  user: v.string(),
  /** Capability names (`CAP_CHOWN`) that the application may hold, before what the runtime always withholds. */
  capabilities: v.array(v.pipe(v.string(), v.regex(/^CAP_[A-Z_]+$/))),
  /** Sealed layers, lowest first. `key` is 32 bytes, base64. `root` is hex and must be that of the measured description. */
  layers: v.pipe(
    v.array(v.strictObject({ root: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), key: key32 })),
    v.minLength(1),
  ),
  /**
   * Files made in memory before the start. `mode` is the permission bits. Without `content` the image's own file is a
   * template: the runtime puts `templateValues` into it.
   */
  injectionFiles: v.array(
    v.strictObject({ path: absolutePath, content: v.optional(base64), mode: permissions }),
  ),
  /** What a reference `$$SCONE::name[:format]$$` in a template stands for, by `name[:format]`; absent where there is none. */
  templateValues: v.optional(v.record(v.string(), base64)),
  /** Files of the host that are visible at the same path, read-only and unprotected (`/etc/resolv.conf`). */
  hostFiles: v.array(absolutePath),
  /**
   * Volumes (docs/formats/volume.md), whose directories the host gives at the same paths; absent where there are none.
   * `name` is what the tag protocol calls a volume on this connection.
   */
  volumes: v.optional(
    v.array(
      v.strictObject({
        name: v.string(),
        path: absolutePath,
        key: key32,
        policy: v.picklist(['rollback_protected', 'ephemeral', 'no_rollback_protection']),
        /** When fsync returns; absent: when CAS has the tag. */
        durability: v.optional(v.picklist(['tag-follows-100ms', 'collected-100ms'])),
      }),
    ),
  ),
});
export type ConfiguredVolume = NonNullable<v.InferOutput<typeof configuration>['volumes']>[number];
export type Configuration = v.InferOutput<typeof configuration>;
