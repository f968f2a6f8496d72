import { generateEcKey } from '../key.ts';
import {
  issueCertificate,
  loadIdentity,
  storeIdentity,
  type Identity,
  type StoredIdentity,
} from '../authority.ts';

/** The simulated Intel: its root and everything below it but the platforms. */
export interface IntelAuthority {
  readonly root: Identity;
  readonly pckCa: { readonly platform: Identity; readonly processor: Identity };
  readonly tcbSigning: Identity;
}

export interface StoredIntelAuthority {
  readonly root: StoredIdentity;
  readonly platformCa: StoredIdentity;
  readonly processorCa: StoredIdentity;
  readonly tcbSigning: StoredIdentity;
}

const organisation = 'O=SIMULATED Intel of this installation,C=XX';

function years(from: Date, count: number): Date {
  const date = new Date(from);
  date.setUTCFullYear(from.getUTCFullYear() + count);
  return date;
}

/** A new simulated Intel with keys of its own. Every name says SIMULATED. */
export async function makeIntelAuthority(now: Date): Promise<IntelAuthority> {
  const notBefore = new Date(now.getTime() - 3_600_000);
  const authority = (name: string, pathLength: number, issuer?: Identity): Promise<Identity> =>
    issueCertificate(
      {
        name: `CN=SIMULATED ${name},${organisation}`,
        key: generateEcKey('P-256'),
        notBefore,
        notAfter: years(now, issuer === undefined ? 30 : 15),
        isAuthority: true,
        pathLength,
      },
      issuer,
    );
  const root = await authority('SGX Root CA', 1);
  const tcbSigning = await issueCertificate(
    {
      name: `CN=SIMULATED SGX TCB Signing,${organisation}`,
      key: generateEcKey('P-256'),
      notBefore,
      notAfter: years(now, 7),
      isAuthority: false,
    },
    root,
  );
  return {
    root,
    pckCa: {
      platform: await authority('SGX PCK Platform CA', 0, root),
      processor: await authority('SGX PCK Processor CA', 0, root),
    },
    tcbSigning,
  };
}

export function storeIntelAuthority(authority: IntelAuthority): StoredIntelAuthority {
  return {
    root: storeIdentity(authority.root),
    platformCa: storeIdentity(authority.pckCa.platform),
    processorCa: storeIdentity(authority.pckCa.processor),
    tcbSigning: storeIdentity(authority.tcbSigning),
  };
}

export function loadIntelAuthority(stored: StoredIntelAuthority): IntelAuthority {
  return {
    root: loadIdentity(stored.root),
    pckCa: { platform: loadIdentity(stored.platformCa), processor: loadIdentity(stored.processorCa) },
    tcbSigning: loadIdentity(stored.tcbSigning),
  };
}
