import type { InsecureSimulatedVendor } from '@ensconce/cas/verifier';
import { openSimulatedAmd } from '@ensconce/simulation/amd/vendor';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import type { Io } from '../io.ts';

/** The simulated Intel and AMD kept in a folder, to be believed like real ones; undefined without a folder. */
export async function insecureVendor(
  io: Io,
  folder: string | undefined,
): Promise<InsecureSimulatedVendor | undefined> {
  if (folder === undefined) return undefined;
  const intel = await openSimulatedVendor({ folder, now: io.now });
  const amd = await openSimulatedAmd({ folder, now: io.now });
  return {
    rootCertificate: intel.rootCertificate,
    amdRootCertificate: amd.rootCertificate,
    fmspc: intel.fmspc,
    collateralSource: { intel: intel.collateralSource.intel, amd: amd.collateral },
  };
}
