import { concatBytes, utf8 } from '@ensconce/base/bytes';
import { errno } from '@ensconce/fuse/errno';
import { folder, Refusal, type KernelFile, type KernelFolder } from './kernel-tree.ts';
import type { Faults } from './faults.ts';

/** One kind of hardware behind configfs-tsm. */
export interface Provider {
  readonly name: string;
  /** Attributes that this provider shows besides those of every one. */
  readonly attributes: readonly string[];
  readonly report: (
    inblob: Uint8Array,
    privilegeLevel: number,
  ) => { readonly outblob: Uint8Array; readonly auxblob: Uint8Array };
}

/** Faults that are used up by happening. */
export interface Remaining {
  faults: Faults;
  outblobErrors: number[];
  foreignWrites: number;
}

const always = ['provider', 'generation', 'inblob', 'outblob'];
const megabyte = 1024 * 1024;

function changed(outblob: Uint8Array, how: Faults['outblob']): Uint8Array {
  if (how === 'short') return outblob.subarray(0, 100);
  if (how === 'huge') return new Uint8Array(200 * megabyte);
  if (how === 'dice') return concatBytes(Uint8Array.of(0xd2, 0x84), new Uint8Array(9000));
  return outblob;
}

const readOnly = (read: () => Uint8Array): KernelFile => ({ kind: 'file', mode: 0o444, read });

/** An entry with the semantics of drivers/virt/coco/guest/report.c. */
function entry(provider: Provider, remaining: Remaining): KernelFolder {
  const { faults } = remaining;
  let inblob = new Uint8Array();
  let privilegeLevel = 0;
  let writeGeneration = 0;
  let made:
    | { readonly generation: number; readonly outblob: Uint8Array; readonly auxblob: Uint8Array }
    | undefined;
  const report = (): { readonly outblob: Uint8Array; readonly auxblob: Uint8Array } => {
    if (inblob.length === 0) throw new Refusal(errno.EINVAL);
    if (made?.generation === writeGeneration) return made;
    // Both drivers want exactly 64 bytes.
    if (inblob.length !== 64) throw new Refusal(errno.EINVAL);
    const about = faults.outblob === 'other-data' ? inblob.toReversed() : inblob;
    made = { generation: writeGeneration, ...provider.report(about, privilegeLevel) };
    return made;
  };
  const files: Record<string, KernelFile> = {
    provider: readOnly(() => Buffer.from(`${faults.provider ?? provider.name}\n`, 'latin1')),
    generation: readOnly(() => utf8(`${faults.generation ?? writeGeneration}\n`)),
    privlevel_floor: readOnly(() => utf8(`${faults.privilegeLevelFloor ?? 0}\n`)),
    privlevel: {
      kind: 'file',
      mode: 0o200,
      write: (bytes) => {
        const level = Number(Buffer.from(bytes).toString());
        if (!(level >= (faults.privilegeLevelFloor ?? 0) && level <= 3)) throw new Refusal(errno.EINVAL);
        privilegeLevel = level;
        writeGeneration++;
      },
    },
    inblob: {
      kind: 'file',
      mode: 0o200,
      takesEffectAtClose: true,
      write: (bytes) => {
        inblob = Uint8Array.from(bytes);
        writeGeneration++;
        if (remaining.foreignWrites-- > 0) {
          inblob = new Uint8Array(64).fill(0xee);
          writeGeneration++;
        }
      },
    },
    outblob: readOnly(() => {
      const failure = remaining.outblobErrors.shift();
      if (failure !== undefined) throw new Refusal(failure);
      return changed(report().outblob, faults.outblob);
    }),
    auxblob: readOnly(() => {
      const { auxblob } = report();
      if (faults.auxblob === 'empty') return new Uint8Array();
      return faults.auxblob === 'huge' ? new Uint8Array(200 * megabyte) : auxblob;
    }),
    manifestblob: readOnly(() => utf8(faults.manifestblob ?? '')),
  };
  const shown = [...always, ...provider.attributes].filter((name) => !faults.missing?.includes(name));
  return folder(Object.fromEntries(shown.map((name) => [name, files[name] as KernelFile])));
}

/** `/sys/kernel/config/tsm/report`. */
export function tsmFolder(provider: Provider, remaining: Remaining): KernelFolder {
  return {
    ...folder(),
    make: () => {
      if (remaining.faults.noProvider === true) throw new Refusal(errno.ENXIO);
      return entry(provider, remaining);
    },
    remove: () => {
      if (remaining.faults.removal !== undefined) throw new Refusal(remaining.faults.removal);
    },
  };
}
