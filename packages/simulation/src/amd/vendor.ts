import { fromHex, toHex } from '@ensconce/base/bytes';
import { CollateralCache } from '@ensconce/collateral/cache';
import { MemoryStore } from '@ensconce/collateral/disk';
import { fetchAmdCollateral } from '@ensconce/collateral/amd';
import type { CollateralSource } from '@ensconce/collateral/source';
import { loadIdentity, storeIdentity } from '../authority.ts';
import { SimulationError } from '../errors.ts';
import { amdKind, keepState, readState } from '../state.ts';
import { handlerTransport } from '../servers/transport.ts';
import { kdsHandler, type KdsContent } from '../servers/kds.ts';
import { makeCertificateTable, makeSnpReport } from '../snp/quote.ts';
import type { SnpReportFields } from '../snp/body.ts';
import { loadAmdAuthority, makeAmdAuthority, storeAmdAuthority, type AmdAuthority } from './authority.ts';
import { makeChip, type SimulatedChip } from './chip.ts';

/** AMD has 4096; these keys protect nothing, and shorter ones are made in a moment. */
const rsaBits = 2048;

/** The simulated AMD of an installation, with one chip. As worthless as protection as the simulated Intel. */
export class SimulatedAmd {
  readonly #authority: AmdAuthority;
  readonly #chip: SimulatedChip;
  readonly #now: () => Date;
  readonly #cache: CollateralCache;

  constructor(authority: AmdAuthority, chip: SimulatedChip, now: () => Date) {
    this.#authority = authority;
    this.#chip = chip;
    this.#now = now;
    this.#cache = new CollateralCache({
      store: new MemoryStore(),
      transport: handlerTransport(kdsHandler(this.kdsContent())),
      now: () => now().getTime(),
    });
  }

  /** DER of the ARK, for options such as `insecureSimulatedRoots`. */
  get rootCertificate(): Uint8Array {
    return Uint8Array.from(this.#authority.ark.certificate);
  }

  /** Hexadecimal, as claims name the chip. */
  get chipId(): string {
    return toHex(this.#chip.hwId);
  }

  /** An SEV-SNP report (version 3 unless asked otherwise) for what the simulated hardware measured. */
  makeSnpReport(fields: SnpReportFields): Uint8Array {
    return makeSnpReport(this.#chip, { version: 3, ...fields });
  }

  /** The certificates of the chip in the form in which a host hands them to a guest. */
  certificateTable(): Uint8Array {
    return makeCertificateTable(this.#chip, this.#authority);
  }

  /** What the simulated AMD's key server knows, for `kdsHandler`. */
  kdsContent(): KdsContent {
    return { authority: this.#authority, chips: [this.#chip], now: this.#now };
  }

  /** Collateral as from the simulated key server, through a cache of its own, without a network between. */
  get collateral(): CollateralSource['amd'] {
    return (required) => fetchAmdCollateral(this.#cache, 'http://simulated.invalid', required);
  }
}

/** Opens the simulated AMD kept in `folder`, beside the simulated Intel, or makes one there. Several processes may open the same folder. */
export async function openSimulatedAmd(options: {
  readonly folder: string;
  readonly now: () => Date;
}): Promise<SimulatedAmd> {
  const { folder, now } = options;
  if (readState(folder, amdKind) === undefined) {
    const made = await makeAmdAuthority('Genoa', now(), rsaBits);
    const chip = await makeChip(made, now());
    keepState(folder, amdKind, {
      format: 'ensconce-simulated-amd/1',
      product: made.product,
      authority: storeAmdAuthority(made),
      chip: { hwId: toHex(chip.hwId), tcb: chip.tcb, vek: storeIdentity(chip.vek) },
    });
  }
  const state = readState(folder, amdKind);
  if (state === undefined)
    throw new SimulationError('SIMULATION_STATE', `${folder}: a simulated AMD expected, none found`);
  const authority = loadAmdAuthority(state.product, state.authority);
  const chip: SimulatedChip = {
    product: state.product,
    kind: 'VCEK',
    hwId: fromHex(state.chip.hwId),
    tcb: { ...state.chip.tcb, fmc: state.chip.tcb.fmc },
    vek: loadIdentity(state.chip.vek),
  };
  return new SimulatedAmd(authority, chip, now);
}
