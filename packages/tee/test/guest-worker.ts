import { utf8 } from '@ensconce/base/bytes';
import { serveWorker } from '@ensconce/fuse/worker';
import type { AmdAuthority } from '@ensconce/simulation/amd/authority';
import type { SimulatedChip } from '@ensconce/simulation/amd/chip';
import type { SimulatedPlatform } from '@ensconce/simulation/intel/platform';
import { makeSgxQuote } from '@ensconce/simulation/sgx/quote';
import { makeCertificateTable, makeSnpReport } from '@ensconce/simulation/snp/quote';
import { makeTdxQuote } from '@ensconce/simulation/tdx/quote';
import type { Faults } from './faults.ts';
import { gramineFolder } from './gramine.ts';
import { folder, KernelTree, type KernelFolder, type KernelNode } from './kernel-tree.ts';
import { freshRegisters, measurementFolder } from './registers.ts';
import { tsmFolder, type Provider, type Remaining } from './tsm-folder.ts';

/** What the simulated hardware of a guest is. */
export interface GuestData {
  readonly tee: 'tdx' | 'snp' | 'sgx' | 'none';
  /** Files that a guest of that TEE shows but that do not work: the driver is there, configfs is not mounted. */
  readonly signsOnly?: boolean;
  readonly cpuinfo?: string;
  readonly platform: SimulatedPlatform;
  readonly amd: AmdAuthority;
  readonly chip: SimulatedChip;
}

const noFaults: Remaining = { faults: {}, outblobErrors: [], foreignWrites: 0 };

function guest(data: GuestData): KernelFolder {
  const remaining: Remaining = { ...noFaults };
  const registers = freshRegisters();
  const tdx: Provider = {
    name: 'tdx_guest',
    attributes: [],
    report: (reportData) => ({
      outblob: makeTdxQuote(data.platform, {
        reportData,
        mrtd: new Uint8Array(48).fill(0x0d),
        rtmrs: registers,
      }),
      auxblob: new Uint8Array(),
    }),
  };
  const snp: Provider = {
    name: 'sev_guest',
    attributes: ['privlevel', 'privlevel_floor', 'auxblob', 'manifestblob'],
    report: (reportData, vmpl) => ({
      outblob: makeSnpReport(data.chip, {
        reportData,
        vmpl,
        measurement: new Uint8Array(48).fill(1),
        hostData: new Uint8Array(32).fill(2),
      }),
      auxblob: makeCertificateTable(data.chip, data.amd),
    }),
  };
  const quote = (reportData: Uint8Array): Uint8Array =>
    makeSgxQuote(data.platform, {
      mrenclave: new Uint8Array(32).fill(0xaa),
      mrsigner: new Uint8Array(32).fill(0xbb),
      isvprodid: 7,
      isvsvn: 3,
      reportData,
    });
  const provider = data.tee === 'tdx' ? tdx : data.tee === 'snp' ? snp : undefined;
  const report =
    provider === undefined || data.signsOnly === true
      ? folder()
      : folder({ tsm: folder({ report: tsmFolder(provider, remaining) }) });
  const driver: Record<string, KernelNode> =
    data.tee === 'tdx'
      ? { tdx_guest: folder({ measurements: measurementFolder(registers, remaining) }) }
      : data.tee === 'snp'
        ? { 'sev-guest': folder() }
        : {};
  return folder({
    sys: folder({
      kernel: folder({ config: report }),
      devices: folder({ virtual: folder({ misc: folder(driver) }) }),
    }),
    dev: folder(data.tee === 'sgx' ? { attestation: gramineFolder(quote, remaining) } : {}),
    proc: folder({
      cpuinfo: { kind: 'file', mode: 0o444, read: () => utf8(data.cpuinfo ?? 'flags\t\t: fpu sse2\n') },
    }),
    faults: {
      kind: 'file',
      mode: 0o200,
      write: (bytes) => {
        const faults = JSON.parse(Buffer.from(bytes).toString()) as Faults;
        Object.assign(remaining, {
          faults,
          outblobErrors: [...(faults.outblobErrors ?? [])],
          foreignWrites: faults.foreignWrites ?? 0,
        } satisfies Remaining);
      },
    },
  });
}

serveWorker((data) => new KernelTree(guest(data as GuestData)));
