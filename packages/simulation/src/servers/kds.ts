import { utf8 } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import { issueAmdCollateral } from '../amd/collateral.ts';
import { makeChip } from '../amd/chip.ts';
import { notFound, badRequest, type Answer, type Handler } from './answer.ts';
import type { AmdAuthority } from '../amd/authority.ts';
import type { SimulatedChip } from '../amd/chip.ts';
import type { SnpTcb } from '@ensconce/evidence/snp/tcb';

export interface KdsContent {
  readonly authority: AmdAuthority;
  readonly chips: readonly SimulatedChip[];
  readonly now: () => Date;
}

const month = 30 * 86_400_000;

function readTcb(query: URLSearchParams, turin: boolean): SnpTcb | undefined {
  const level = (name: string): number => {
    const text = query.get(name) ?? '';
    return /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  };
  const tcb = {
    fmc: turin ? level('fmcSPL') : undefined,
    bootloader: level('blSPL'),
    tee: level('teeSPL'),
    snp: level('snpSPL'),
    microcode: level('ucodeSPL'),
  };
  return Object.values(tcb).some((svn) => Number.isNaN(svn)) ? undefined : tcb;
}

const same = (a: SnpTcb, b: SnpTcb): boolean => JSON.stringify(a) === JSON.stringify(b);

async function vcek(content: KdsContent, hwId: string, query: URLSearchParams): Promise<Answer> {
  const chip = content.chips.find((one) => one.kind === 'VCEK' && one.hwId.toHex() === hwId);
  if (chip === undefined) return notFound;
  const tcb = readTcb(query, chip.product === 'Turin');
  if (tcb === undefined) return badRequest;
  // Another TCB has another key, as in silicon.
  const found = same(tcb, chip.tcb)
    ? chip
    : await makeChip(content.authority, content.now(), { hwId: chip.hwId, tcb });
  return {
    status: 200,
    headers: { 'Content-Type': 'application/octet-stream' },
    body: found.vek.certificate,
  };
}

async function crl(content: KdsContent): Promise<Answer> {
  const now = content.now();
  const [chip] = content.chips;
  if (chip === undefined) return notFound;
  const { revocationLists } = await issueAmdCollateral(content.authority, chip, {
    issued: new Date(now.getTime() - 60_000),
    next: new Date(now.getTime() + month),
    number: Math.floor(now.getTime() / 1000),
  });
  const [list] = revocationLists;
  return list === undefined
    ? notFound
    : { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, body: list };
}

/** AMD's Key Distribution Service with the genuine paths, from a simulated vendor. */
export function kdsHandler(content: KdsContent): Handler {
  const { authority } = content;
  return async (path) => {
    const url = new URL(path, 'http://simulated.invalid');
    const match = /^\/(vcek|vlek)\/v1\/([A-Za-z]+)\/([0-9a-z_]+)$/.exec(url.pathname);
    if (match === null || match[2] !== authority.product) return notFound;
    const [, kind, , what] = match;
    if (what === 'cert_chain') {
      const intermediate = kind === 'vcek' ? authority.ask : authority.asvk;
      const pem = [intermediate, authority.ark]
        .map((one) => pemEncode(one.certificate, 'CERTIFICATE'))
        .join('');
      return { status: 200, headers: { 'Content-Type': 'application/x-pem-file' }, body: utf8(pem) };
    }
    if (what === 'crl') return crl(content);
    return kind === 'vcek' ? vcek(content, what ?? '', url.searchParams) : notFound;
  };
}
