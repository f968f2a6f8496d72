import { check } from '@ensconce/volume/commands';
import { ExitStatus } from '../exit-codes.ts';
import { writeResult } from '../output/result.ts';
import { placeOf, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import type { Verb } from '../verb.ts';

/** The volume is readable, and part of it is damaged. */
const damaged = 10;

export const volumeCheck: Verb = {
  name: 'volume check',
  summary: 'verify every byte of a volume that is not mounted, and name what is damaged',
  examples: ['ensconce volume check ./data --key-file key --tag-file /safe/data.tag'],
  exitCodes: `Exit codes:
  0    every byte is authentic
  1    the volume cannot be opened
  2    wrong usage
  10   part of it is damaged`,
  define(command, io) {
    withVolumeOptions(command.argument('<dir>', 'folder of the volume'))
      .option('--json', 'write JSON')
      .action(async (directory: string, options: VolumeOptions & { json?: true }) => {
        let last = -1;
        const report = await check(placeOf(io, directory, options), (done, total) => {
          const percent = Math.floor((done / Math.max(total, 1)) * 10) * 10;
          if (percent > last) io.stderr(`volume: checked ${percent} %\n`);
          last = Math.max(last, percent);
        });
        writeResult(io, options, { ...report }, () =>
          [
            ...report.problems.map((problem) => `damaged: ${problem}`),
            `${report.files} files, ${report.bytes} bytes: ${report.problems.length === 0 ? 'all authentic' : `${report.problems.length} problems`}`,
          ].join('\n'),
        );
        if (report.problems.length > 0) throw new ExitStatus(damaged);
      });
  },
};
