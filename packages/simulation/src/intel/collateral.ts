import { utf8 } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { issueRevocationList, type Identity } from '../authority.ts';
import { generateEcKey, signRaw, type SimulatedKey } from '../key.ts';
import { parseCertificate } from '@ensconce/x509/certificate';
import { qeIdentityStatement, tcbInfoStatement, type StatementDates, type TcbSpec } from './statement.ts';
import type { IntelAuthority } from './authority.ts';

/** What is wrong with the collateral; every field breaks one thing that a verifier must notice. */
export interface CollateralFaults {
  readonly wrongTcbInfoSignature?: boolean;
  readonly wrongQeIdentitySignature?: boolean;
  readonly wrongPckCrlSignature?: boolean;
  /** The TCB signing certificate is on the root's list. */
  readonly revokedTcbSigning?: boolean;
  /** The PCK CA is on the root's list. */
  readonly revokedPckCa?: boolean;
  /** TCB info and identity are signed by a PCK CA instead. */
  readonly signedByPckCa?: boolean;
  /** The identity of the other TEE's quoting enclave. */
  readonly otherQeIdentity?: boolean;
}

export interface CollateralRequest {
  readonly dates: StatementDates;
  readonly tcb: TcbSpec;
  readonly ca: 'platform' | 'processor';
  readonly crlNumber: number;
  /** Serial numbers in hexadecimal. */
  readonly revokedPcks?: readonly string[];
  readonly faults?: CollateralFaults;
}

const pemChain = (...identities: readonly Identity[]): string =>
  identities.map((identity) => pemEncode(identity.certificate, 'CERTIFICATE')).join('');

/** Serial number of an issued certificate, hexadecimal. */
export const serialOf = (identity: Identity): string => parseCertificate(identity.certificate).serial;

/** Everything that the simulated Intel publishes about one kind of platform, freshly signed. */
export async function issueIntelCollateral(
  authority: IntelAuthority,
  request: CollateralRequest,
): Promise<IntelCollateral> {
  const { faults = {}, dates } = request;
  const ca = authority.pckCa[request.ca];
  const wrong = generateEcKey('P-256');
  const signing = faults.signedByPckCa === true ? ca : authority.tcbSigning;
  const signer = (fault: boolean | undefined): SimulatedKey => (fault === true ? wrong : signing.key);
  const crl = { thisUpdate: dates.issued, nextUpdate: dates.next, number: request.crlNumber };
  const byRoot = [
    ...(faults.revokedTcbSigning === true ? [serialOf(authority.tcbSigning)] : []),
    ...(faults.revokedPckCa === true ? [serialOf(ca)] : []),
  ];
  const tcbInfo = tcbInfoStatement(request.tcb, dates);
  const id = request.tcb.id === 'SGX' ? 'TDX' : 'SGX';
  const qeIdentity = qeIdentityStatement(
    faults.otherQeIdentity === true ? { ...request.tcb, id } : request.tcb,
    dates,
  );
  const tcbChain = pemChain(signing, authority.root);
  const listSigner = faults.wrongPckCrlSignature === true ? { ...ca, key: wrong } : ca;
  return {
    pckCrlIssuerChain: pemChain(ca, authority.root),
    rootCaCrl: await issueRevocationList(authority.root, { ...crl, revoked: byRoot }),
    pckCrl: await issueRevocationList(listSigner, { ...crl, revoked: request.revokedPcks ?? [] }),
    tcbInfoIssuerChain: tcbChain,
    tcbInfo,
    tcbInfoSignature: signRaw(signer(faults.wrongTcbInfoSignature), 'sha256', utf8(tcbInfo)),
    qeIdentityIssuerChain: tcbChain,
    qeIdentity,
    qeIdentitySignature: signRaw(signer(faults.wrongQeIdentitySignature), 'sha256', utf8(qeIdentity)),
  };
}
