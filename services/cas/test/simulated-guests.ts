import { CollateralCache } from '@ensconce/collateral/cache';
import { MemoryStore } from '@ensconce/collateral/disk';
import { intelPcs } from '@ensconce/collateral/intel';
import { cachedSource } from '@ensconce/collateral/source';
import { makeAmdAuthority } from '@ensconce/simulation/amd/authority';
import { makeChip } from '@ensconce/simulation/amd/chip';
import { kdsHandler } from '@ensconce/simulation/servers/kds';
import { handlerTransport } from '@ensconce/simulation/servers/transport';
import type { SimulatedVendor } from '@ensconce/simulation/vendor';
import { evidenceVerifier, type EvidenceVerifier } from '../src/evidence/verifier.ts';

/** A simulated AMD beside the simulated Intel, and one of its chips. */
export const amd = await makeAmdAuthority('Milan', new Date(), 2048);
export const chip = await makeChip(amd, new Date());

export interface SimulatedGuests {
  /** Believes both. */
  readonly verifier: EvidenceVerifier;
  /** Paths that AMD's server was asked for. */
  readonly asked: string[];
  /** From now on AMD's server has nothing. */
  readonly withhold: () => void;
}

export function simulatedGuests(vendor: SimulatedVendor): SimulatedGuests {
  const asked: string[] = [];
  let withheld = false;
  const kds = handlerTransport(kdsHandler({ authority: amd, chips: [chip], now: () => new Date() }));
  const amdSource = cachedSource(
    new CollateralCache({
      store: new MemoryStore(),
      now: () => Date.now(),
      transport: async (url, limits) => {
        asked.push(new URL(url).pathname);
        return withheld ? { status: 404, headers: {}, body: new Uint8Array() } : kds(url, limits);
      },
    }),
    intelPcs,
  );
  const verifier = evidenceVerifier({
    insecureSimulatedVendor: {
      rootCertificate: vendor.rootCertificate,
      amdRootCertificate: amd.ark.certificate,
      fmspc: vendor.fmspc,
      collateralSource: { intel: vendor.collateralSource.intel, amd: amdSource.amd },
    },
  });
  return { verifier, asked, withhold: () => (withheld = true) };
}
