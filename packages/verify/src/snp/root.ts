import { equalBytes, toHex } from '@ensconce/base/bytes';
import type { Certificate } from '@ensconce/x509/certificate';
import type { CryptoProvider } from '@ensconce/x509/crypto';

/** SHA-256 of the SubjectPublicKeyInfo of AMD's root keys, one per product line. */
const amdRoots: ReadonlySet<string> = new Set([
  // ARK-Milan
  '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9',
  // ARK-Genoa
  '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831',
  // ARK-Turin
  '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08',
]);

/** Whom a root certificate belongs to: AMD by its key, a simulated vendor by the whole certificate, else nobody that is trusted. */
export async function anchorOf(
  crypto: CryptoProvider,
  root: Certificate,
  insecureSimulatedRoots: readonly Uint8Array[] = [],
): Promise<'amd' | 'simulated' | undefined> {
  if (amdRoots.has(toHex(await crypto.sha256(root.spki)))) return 'amd';
  return insecureSimulatedRoots.some((der) => equalBytes(der, root.der)) ? 'simulated' : undefined;
}
