import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { EnsconceError } from '@ensconce/base/errors';
import { describeIssue } from '@ensconce/base/issue';
import { canonicalJson, parseCanonicalJson } from '@ensconce/base/json';

export type MeasurementErrorCode = 'DESCRIPTION_INVALID' | 'FOLDER_INVALID';

/** An image description that does not have the documented form. */
export class MeasurementError extends EnsconceError<MeasurementErrorCode> {}

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits expected'));

/** At most so many sealed layers, the limit that container engines set themselves. */
export const maxLayers = 127;

const schema = v.strictObject({
  format: v.literal('ensconce-image/1'),
  architecture: v.picklist(['amd64', 'arm64']),
  runtime: sha256,
  layers: v.pipe(v.array(sha256), v.minLength(1), v.maxLength(maxLayers)),
  cas: v.strictObject({ identity: sha256, simulated: v.boolean() }),
});

/**
 * What the image measurement is taken over (docs/formats/measurement.md).
 *
 * - `runtime`: digest of the canonical manifest of the runtime's folder
 * - `layers`: the roots of the sealed layers, lowest first
 * - `cas.identity`: SHA-256 of the SubjectPublicKeyInfo of the identity key of the one CAS that this image obeys
 * - `cas.simulated`: whether that CAS may be one that simulated hardware attests
 */
export type ImageDescription = v.InferOutput<typeof schema>;

/** The largest encoding that is read. */
export const maxDescriptionSize = 65_536;

/** The canonical bytes of a description: what stands in the image and what is hashed. */
export function encodeDescription(description: ImageDescription): Uint8Array {
  return canonicalJson(description);
}

/** Reads a description from untrusted bytes; anything but the canonical encoding of a complete description is refused. */
export function parseDescription(bytes: Uint8Array): ImageDescription {
  const result = v.safeParse(schema, parseCanonicalJson(bytes, 'image description', maxDescriptionSize));
  if (!result.success) {
    throw new MeasurementError(
      'DESCRIPTION_INVALID',
      `image description: ${describeIssue(result.issues[0])}`,
    );
  }
  return result.output;
}

/** The image measurement: SHA-256, hex, of the canonical description. In SGX quotes, real or simulated, it is MRENCLAVE. */
export function measureDescription(encoded: Uint8Array): string {
  return createHash('sha256').update(encoded).digest('hex');
}
