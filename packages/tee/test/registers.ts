import { createHash } from 'node:crypto';
import { concatBytes } from '@ensconce/base/bytes';
import { errno } from '@ensconce/fuse/errno';
import { folder, Refusal, type KernelFile, type KernelFolder } from './kernel-tree.ts';
import type { Remaining } from './tsm-folder.ts';

export type Registers = [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

export const freshRegisters = (): Registers => [
  new Uint8Array(48).fill(0x10),
  new Uint8Array(48).fill(0x11),
  new Uint8Array(48).fill(0x12),
  new Uint8Array(48),
];

const extended = (value: Uint8Array, digest: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash('sha384').update(concatBytes(value, digest)).digest());

/** `/sys/devices/virtual/misc/tdx_guest/measurements`, as drivers/virt/coco/guest/tsm-mr.c has it. */
export function measurementFolder(registers: Registers, remaining: Remaining): KernelFolder {
  const file = (index: 0 | 1 | 2 | 3): KernelFile => ({
    kind: 'file',
    mode: 0o644,
    read: () => registers[index],
    write: (bytes, offset) => {
      if (offset !== 0 || bytes.length !== 48) throw new Refusal(errno.EINVAL);
      if (remaining.faults.registers === 'stuck') return;
      registers[index] = extended(registers[index], bytes);
      if (remaining.faults.registers === 'shared')
        registers[index] = extended(registers[index], new Uint8Array(48).fill(0xee));
    },
  });
  return folder({
    'rtmr0:sha384': file(0),
    'rtmr1:sha384': file(1),
    'rtmr2:sha384': file(2),
    'rtmr3:sha384': file(3),
  });
}
