import {
  issueCertificate,
  loadIdentity,
  storeIdentity,
  type Identity,
  type StoredIdentity,
} from '../authority.ts';
import { generateRsaKey } from '../key.ts';
import type { SnpProduct } from '@ensconce/evidence/snp/tcb';

export type AmdProduct = Exclude<SnpProduct, 'Venice'>;

/** The simulated AMD of one product line. */
export interface AmdAuthority {
  readonly product: AmdProduct;
  readonly ark: Identity;
  /** Signs VCEKs. */
  readonly ask: Identity;
  /** Signs VLEKs. */
  readonly asvk: Identity;
}

const organisation = 'O=SIMULATED AMD of this installation,C=XX';

function years(from: Date, count: number): Date {
  const date = new Date(from);
  date.setUTCFullYear(from.getUTCFullYear() + count);
  return date;
}

/** A new simulated AMD. `rsaBits` is 4096 at AMD; making three such keys takes seconds, so tests may take 2048. */
export async function makeAmdAuthority(
  product: AmdProduct,
  now: Date,
  rsaBits = 4096,
): Promise<AmdAuthority> {
  const authority = (name: string, issuer?: Identity): Promise<Identity> =>
    issueCertificate(
      {
        name: `CN=SIMULATED ${name},${organisation}`,
        key: generateRsaKey(rsaBits),
        notBefore: new Date(now.getTime() - 3_600_000),
        notAfter: years(now, 25),
        isAuthority: true,
        pathLength: issuer === undefined ? undefined : 0,
      },
      issuer,
    );
  const ark = await authority(`ARK-${product}`);
  return {
    product,
    ark,
    ask: await authority(`SEV-${product}`, ark),
    asvk: await authority(`SEV-VLEK-${product}`, ark),
  };
}

export interface StoredAmdAuthority {
  readonly ark: StoredIdentity;
  readonly ask: StoredIdentity;
  readonly asvk: StoredIdentity;
}

export function storeAmdAuthority(authority: AmdAuthority): StoredAmdAuthority {
  return {
    ark: storeIdentity(authority.ark),
    ask: storeIdentity(authority.ask),
    asvk: storeIdentity(authority.asvk),
  };
}

export function loadAmdAuthority(product: AmdProduct, stored: StoredAmdAuthority): AmdAuthority {
  return {
    product,
    ark: loadIdentity(stored.ark),
    ask: loadIdentity(stored.ask),
    asvk: loadIdentity(stored.asvk),
  };
}
