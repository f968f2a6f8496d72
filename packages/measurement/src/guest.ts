import { createHash } from 'node:crypto';
import { concatBytes, fromHex, toHex, utf8 } from '@ensconce/base/bytes';
import { encodeFields } from '@ensconce/base/fields';

/** What a confidential VM is launched for: one service of one session at one CAS, from one image. */
export interface GuestPurpose {
  /** Hex SHA-256 of CAS's SubjectPublicKeyInfo. */
  readonly casIdentity: string;
  /** `session/service`, nothing behind it. */
  readonly configId: string;
  /** The image measurement, 64 hex digits. */
  readonly measurement: string;
}

function encodePurpose({ casIdentity, configId, measurement }: GuestPurpose): Uint8Array {
  return encodeFields('ensconce-guest/1', [
    fromHex(casIdentity, 32),
    utf8(configId),
    fromHex(measurement, 32),
  ]);
}

/** MRCONFIGID of a TD that is launched for this; 96 hex digits (docs/formats/measurement.md). */
export function guestConfigId(purpose: GuestPurpose): string {
  return createHash('sha384').update(encodePurpose(purpose)).digest('hex');
}

/** HOST_DATA of an SEV-SNP guest that is launched for this; 64 hex digits. */
export function guestHostData(purpose: GuestPurpose): string {
  return createHash('sha256').update(encodePurpose(purpose)).digest('hex');
}

/** What the guest's launcher extends RTMR3 by before it starts the runtime: 48 bytes. */
export function imageDigest(measurement: string): Uint8Array {
  return createHash('sha384')
    .update(encodeFields('ensconce-image-register/1', [fromHex(measurement, 32)]))
    .digest();
}

/** RTMR3 after that, and nothing else: 96 hex digits. */
export function imageRegister(measurement: string): string {
  return toHex(
    createHash('sha384')
      .update(concatBytes(new Uint8Array(48), imageDigest(measurement)))
      .digest(),
  );
}
