import { generateEcKey } from '../key.ts';
import { issueCertificate, type Identity } from '../authority.ts';

/** The simulated AWS: a root, and below it a region, a zone and an instance, as real documents carry them. */
export interface NitroAuthority {
  readonly root: Identity;
  readonly region: Identity;
  readonly zone: Identity;
  readonly instance: Identity;
}

const organisation = 'O=SIMULATED Amazon of this installation,C=XX';
const hour = 3_600_000;
const day = 24 * hour;

/** A new simulated AWS with keys of its own. Every name says SIMULATED. */
export async function makeNitroAuthority(now: Date): Promise<NitroAuthority> {
  const authority = (
    name: string,
    lifetime: number,
    pathLength: number,
    issuer?: Identity,
  ): Promise<Identity> =>
    issueCertificate(
      {
        name: `CN=SIMULATED ${name},${organisation}`,
        key: generateEcKey('P-384'),
        notBefore: new Date(now.getTime() - hour),
        notAfter: new Date(now.getTime() + lifetime),
        isAuthority: true,
        pathLength,
      },
      issuer,
    );
  const root = await authority('aws.nitro-enclaves', 30 * 365 * day, 3);
  const region = await authority('xx-test-1.aws.nitro-enclaves', 20 * day, 2, root);
  const zone = await authority('zonal.xx-test-1.aws.nitro-enclaves', 6 * day, 1, region);
  return { root, region, zone, instance: await authority('i-0.xx-test-1.aws.nitro-enclaves', day, 0, zone) };
}

/** The enclave's certificate, which lives three hours. */
export function issueEnclaveCertificate(
  authority: NitroAuthority,
  now: Date,
  moduleId: string,
): Promise<Identity> {
  return issueCertificate(
    {
      name: `CN=SIMULATED ${moduleId}.xx-test-1.aws,${organisation}`,
      key: generateEcKey('P-384'),
      notBefore: new Date(now.getTime() - 3000),
      notAfter: new Date(now.getTime() + 3 * hour),
      isAuthority: false,
    },
    authority.instance,
  );
}
