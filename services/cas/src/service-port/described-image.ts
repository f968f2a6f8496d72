import { guestConfigId, guestHostData, imageRegister, type GuestPurpose } from '@ensconce/measurement/guest';
import { measureDescription, type ImageDescription } from '@ensconce/measurement/image';
import { untrustworthy } from './appraise.ts';
import { nameOf, type ConfigId } from './config-id.ts';
import type { ServiceClaims } from './genuine.ts';
import type { KnownDescriptions } from './known-descriptions.ts';

export interface DescriptionContext {
  /** Hex SHA-256 of CAS's public key. */
  readonly casIdentity: string;
  readonly descriptions: KnownDescriptions;
}

export interface DescribedImage {
  readonly description: ImageDescription;
  /** Hex. */
  readonly measurement: string;
}

/** Where the measurement of the image stands in evidence of each kind, and what must stand there (docs/formats/measurement.md). */
function measuredIn(claims: ServiceClaims, purpose: GuestPurpose): readonly (readonly string[])[] {
  const { measurement } = purpose;
  switch (claims.tee) {
    case 'sgx':
      return [['MRENCLAVE', claims.mrenclave, measurement]];
    case 'tdx':
      return [
        ['RTMR3', claims.rtmr3, imageRegister(measurement)],
        ['MRCONFIGID', claims.mrconfigid, guestConfigId(purpose)],
      ];
    case 'snp':
      return [['HOST_DATA', claims.hostData, guestHostData(purpose)]];
  }
}

/** The description is only as good as the measurement that it hashes to. */
export function measuredImage(
  context: DescriptionContext,
  encoded: Uint8Array,
  claims: ServiceClaims,
  id: ConfigId,
): DescribedImage {
  const measurement = measureDescription(encoded);
  const purpose = { casIdentity: context.casIdentity, configId: nameOf(id), measurement };
  for (const [name, found, wanted] of measuredIn(claims, purpose)) {
    if (found === wanted) continue;
    throw untrustworthy(
      claims.tee === 'sgx'
        ? `Unexpected enclave measurement (${name}, ${found}) - Expected ${wanted}, as the image description hashes to`
        : `Unexpected guest measurement (${name}, ${found}) - Expected ${wanted}, as CAS, config id and image description give it`,
      claims.tee === 'sgx'
        ? 'the runtime on that node is not the one that the image was made with: transform the image again, or find out who changed it'
        : 'the guest was launched for another CAS, service or image, or started something else before',
    );
  }
  return { description: readDescription(context, encoded, measurement), measurement };
}

/** The image as its runtime describes it: nothing vouches for it. */
export function unmeasuredImage(context: DescriptionContext, encoded: Uint8Array): DescribedImage {
  const measurement = measureDescription(encoded);
  return { description: readDescription(context, encoded, measurement), measurement };
}

function readDescription(
  context: DescriptionContext,
  encoded: Uint8Array,
  measurement: string,
): ImageDescription {
  let description: ImageDescription;
  try {
    description = context.descriptions.read(encoded, measurement);
  } catch (cause) {
    throw untrustworthy(`the measured image description is not of the documented form: ${messageOf(cause)}`);
  }
  if (description.cas.identity !== context.casIdentity) {
    throw untrustworthy(
      `image: it obeys the CAS ${description.cas.identity}, this one is ${context.casIdentity}`,
      'transform the image for this CAS, or start it with the address of its own',
    );
  }
  return description;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'unreadable');
