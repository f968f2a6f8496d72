import { map, oneOrList, required, strict } from '../form/collection.ts';
import { invalid, transform, type Form } from '../form/form.ts';
import { integer, text } from '../form/scalar.ts';
import type { SnpGuest, TdxGuest } from '../session.ts';
import { hex, orReference } from './names.ts';
import { advisories } from './security.ts';

const images = required(
  oneOrList(hex(32), { min: 1, of: 'image measurements' }),
  'Accepted image measurements: any of them.',
);

const tdxGuest: Form<TdxGuest> = transform(
  map(
    {
      mrtd: required(hex(48), 'Measurement of the firmware.'),
      rtmr0: required(hex(48), 'Register of the firmware’s configuration.'),
      rtmr1: required(hex(48), 'Register of boot loader and kernel.'),
      rtmr2: required(hex(48), 'Register of command line and initial file system.'),
      image: images,
      mrseam: strict(hex(48), 'Measurement of the TDX module.'),
      mrowner: strict(hex(48), 'Owner of the TD.'),
      mrownerconfig: strict(hex(48), 'Configuration by the owner.'),
    },
    'a TDX guest',
  ),
  (value) => value,
);

const svn = integer({ min: 0, max: 255, expected: 'a number from 0 to 255' });
const minimumTcb = map(
  {
    fmc: strict(svn, 'Firmware of the micro controller; Turin only.'),
    bootloader: strict(svn, 'Boot loader.'),
    tee: strict(svn, 'Operating system of the security processor.'),
    snp: strict(svn, 'SNP firmware.'),
    microcode: strict(svn, 'Microcode.'),
  },
  'minimum_tcb',
);

const snpGuest: Form<SnpGuest> = transform(
  map(
    {
      measurement: required(hex(48), 'Launch measurement of the guest.'),
      vmpl: required(
        integer({ min: 0, max: 3, expected: 'a privilege level from 0 to 3' }),
        'Privilege level that the report was asked from.',
      ),
      image: images,
      minimum_tcb: strict(minimumTcb, 'Lowest TCB of the platform, part by part.'),
      minimum_guest_svn: strict(
        integer({ min: 0, max: 0xffff_ffff, expected: 'a security version' }),
        'Lowest security version in the ID block.',
      ),
      id_key_digest: strict(hex(48), 'Digest of the key that signed the ID block.'),
      author_key_digest: strict(hex(48), 'Digest of the key that vouches for that key.'),
    },
    'an SNP guest',
  ),
  (value) => ({
    measurement: value.measurement,
    vmpl: value.vmpl,
    image: value.image,
    minimumTcb: value.minimum_tcb,
    minimumGuestSvn: value.minimum_guest_svn,
    idKeyDigest: value.id_key_digest,
    authorKeyDigest: value.author_key_digest,
  }),
);

export const tdxGuests = oneOrList(tdxGuest, { min: 1, of: 'TDX guests' });
export const snpGuests = oneOrList(snpGuest, { min: 1, of: 'SNP guests' });

/** A day, or a time with zone, as levels of the vendors are dated. */
export const tcbDate = transform(
  text({
    expected: 'a date (2025-01-31)',
    pattern: /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$/,
  }),
  (value, node, place) => {
    const time = new Date(`${value}T00:00:00Z`);
    if (!Number.isNaN(time.getTime()) && time.toISOString().startsWith(value)) return `${value}T00:00:00Z`;
    place.error(node.offset, `a day of the calendar expected, ${value} found`);
    return invalid;
  },
);
export const graceDays = integer({ min: 0, max: 3650, expected: 'a number of days from 0 to 3650' });

/** An evaluation data number of Intel's: 17, say. */
export const evaluationNumber = integer({ min: 0, max: 4_294_967_295, expected: 'an evaluation number' });

/** What may be ignored on each TEE; one that is left out follows `security`. */
export const teeAdvisories = map(
  {
    sgx: strict(advisories, 'Advisories that do not count for SGX, or "*".'),
    tdx: strict(advisories, 'Advisories that do not count for TDX, or "*".'),
  },
  'ignore_advisories (ensconce)',
);

/** As evidence shows a machine: platform instance id or PPID of Intel's (16 bytes), chip id of AMD's (64 bytes). */
export const chip = orReference(
  transform(
    text({
      expected: 'a platform instance id or PPID (32 hexadecimal digits) or a chip id (128)',
      pattern: /^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{128})$/,
    }),
    (value) => value.toLowerCase(),
  ),
);
