import { randomBytes } from 'node:crypto';
import { IA5String, Integer } from 'asn1js';
import { issueCertificate, type Identity } from '../authority.ts';
import { generateEcKey } from '../key.ts';
import type { SnpTcb } from '@ensconce/evidence/snp/tcb';
import type { AmdAuthority, AmdProduct } from './authority.ts';

/** A simulated processor with the key that signs its reports. */
export interface SimulatedChip {
  readonly product: AmdProduct;
  /** 64 bytes; 8 on Turin. */
  readonly hwId: Uint8Array;
  readonly tcb: SnpTcb;
  readonly vek: Identity;
  readonly kind: 'VCEK' | 'VLEK';
}

const arc = '1.3.6.1.4.1.3704.1';
const ber = (value: Integer | IA5String): Uint8Array => new Uint8Array(value.toBER());
const integer = (value: number): Uint8Array => ber(new Integer({ value }));

const productNames: Readonly<Record<AmdProduct, string>> = {
  Milan: 'Milan-B0',
  Genoa: 'Genoa',
  Turin: 'Turin',
};

function namesOf(
  chip: Omit<SimulatedChip, 'vek'>,
  fault: ChipSpec['certificateFault'],
): { oid: string; value: Uint8Array }[] {
  const hardware = { oid: `${arc}.4`, value: chip.hwId };
  const provider = { oid: `${arc}.5`, value: ber(new IA5String({ value: 'CN=cc.simulated.example' })) };
  if (fault === 'nameless') return [];
  if (fault === 'both-names') return [hardware, provider];
  return [chip.kind === 'VCEK' ? hardware : provider];
}

function extensions(
  chip: Omit<SimulatedChip, 'vek'>,
  fault: ChipSpec['certificateFault'],
): { oid: string; value: Uint8Array }[] {
  const { tcb, product } = chip;
  const name = chip.kind === 'VLEK' ? product : productNames[product];
  const levels: [string, number | undefined][] = [
    ['3.1', tcb.bootloader],
    ['3.2', tcb.tee],
    ['3.3', tcb.snp],
    ['3.8', tcb.microcode],
    ['3.9', tcb.fmc],
  ];
  return [
    { oid: `${arc}.1`, value: integer(product === 'Turin' ? 1 : 0) },
    { oid: `${arc}.2`, value: ber(new IA5String({ value: name })) },
    ...levels.flatMap(([oid, svn]) =>
      svn === undefined ? [] : [{ oid: `${arc}.${oid}`, value: integer(svn) }],
    ),
    ...namesOf(chip, fault),
  ];
}

export const defaultTcb = (product: AmdProduct): SnpTcb => ({
  fmc: product === 'Turin' ? 1 : undefined,
  bootloader: 4,
  tee: 1,
  snp: 24,
  microcode: 219,
});

export interface ChipSpec {
  readonly kind?: 'VCEK' | 'VLEK';
  readonly tcb?: SnpTcb;
  readonly hwId?: Uint8Array;
  /** The certificate is out of its dates. */
  readonly expired?: boolean;
  /** What is wrong with the certificate: the other kind's issuer signed it, or it names neither chip nor provider, or both. */
  readonly certificateFault?: 'other-issuer' | 'nameless' | 'both-names';
}

/** Makes a chip and certifies its key for one TCB, as AMD's key server would. */
export async function makeChip(
  authority: AmdAuthority,
  now: Date,
  spec: ChipSpec = {},
): Promise<SimulatedChip> {
  const { product } = authority;
  const chip = {
    product,
    kind: spec.kind ?? 'VCEK',
    hwId: spec.hwId ?? Uint8Array.from(randomBytes(product === 'Turin' ? 8 : 64)),
    tcb: spec.tcb ?? defaultTcb(product),
  } as const;
  const notAfter = new Date(now);
  if (spec.expired === true) notAfter.setTime(now.getTime() - 60_000);
  else notAfter.setUTCFullYear(now.getUTCFullYear() + (chip.kind === 'VCEK' ? 7 : 1));
  const vek = await issueCertificate(
    {
      name: `CN=SIMULATED SEV-${chip.kind},O=SIMULATED AMD of this installation,C=XX`,
      key: generateEcKey('P-384'),
      notBefore: new Date(now.getTime() - 3_600_000),
      notAfter,
      isAuthority: false,
      extensions: extensions(chip, spec.certificateFault),
    },
    (chip.kind === 'VCEK') === (spec.certificateFault !== 'other-issuer') ? authority.ask : authority.asvk,
  );
  return { ...chip, vek };
}
