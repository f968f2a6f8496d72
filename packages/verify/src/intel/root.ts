import { equalBytes } from '@ensconce/base/bytes';
import type { Certificate } from '@ensconce/x509/certificate';

/**
 * SubjectPublicKeyInfo of "Intel SGX Root CA", the anchor of every production PCK, TCB signing certificate and revocation list.
 * The SHA-256 of its uncompressed point begins a512ddae5b8a05fd.
 */
const intelRootSpki = Uint8Array.fromHex(
  '3059301306072a8648ce3d020106082a8648ce3d030107034200040ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5' +
    '67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394',
);

/** Whom a root certificate belongs to: Intel by its key, a simulated vendor by the whole certificate, else nobody that is trusted. */
export function anchorOf(
  root: Certificate,
  insecureSimulatedRoots: readonly Uint8Array[] = [],
): 'intel' | 'simulated' | undefined {
  if (equalBytes(root.spki, intelRootSpki)) return 'intel';
  return insecureSimulatedRoots.some((der) => equalBytes(der, root.der)) ? 'simulated' : undefined;
}
