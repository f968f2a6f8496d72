import { generateEcKey, generateRsaKey, type SimulatedKey } from '../key.ts';
import { issueCertificate, type Identity } from '../authority.ts';

/** The simulated maker of TPMs. */
export interface TpmAuthority {
  readonly root: Identity;
  readonly intermediate: Identity;
}

/** A simulated TPM: its attestation key, and the certificate that its maker issued for it. */
export interface SimulatedTpm {
  readonly key: SimulatedKey;
  readonly certificate: Uint8Array;
  /** The key's certificate, its issuer and the root, DER. */
  readonly certificates: readonly Uint8Array[];
}

const organisation = 'O=SIMULATED TPM vendor of this installation,C=XX';
const hour = 3_600_000;

function years(from: Date, count: number): Date {
  const date = new Date(from);
  date.setUTCFullYear(from.getUTCFullYear() + count);
  return date;
}

/** A new simulated vendor with keys of its own. Every name says SIMULATED. */
export async function makeTpmAuthority(now: Date): Promise<TpmAuthority> {
  const authority = (name: string, pathLength: number, issuer?: Identity): Promise<Identity> =>
    issueCertificate(
      {
        name: `CN=SIMULATED ${name},${organisation}`,
        key: generateEcKey('P-384'),
        notBefore: new Date(now.getTime() - hour),
        notAfter: years(now, 20),
        isAuthority: true,
        pathLength,
      },
      issuer,
    );
  const root = await authority('TPM Root CA', 1);
  return { root, intermediate: await authority('TPM Attestation Key CA', 0, root) };
}

/** Makes a TPM with an attestation key of one of the two kinds. */
export async function makeTpm(
  authority: TpmAuthority,
  now: Date,
  kind: 'rsa' | 'ecc' = 'rsa',
): Promise<SimulatedTpm> {
  const key = kind === 'rsa' ? generateRsaKey(2048) : generateEcKey('P-256');
  const { certificate } = await issueCertificate(
    {
      name: `CN=SIMULATED TPM attestation key,${organisation}`,
      key,
      notBefore: new Date(now.getTime() - hour),
      notAfter: years(now, 5),
      isAuthority: false,
    },
    authority.intermediate,
  );
  const { intermediate, root } = authority;
  return { key, certificate, certificates: [certificate, intermediate.certificate, root.certificate] };
}
