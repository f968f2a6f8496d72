import { mkdirSync } from 'node:fs';
import { extract } from '@ensconce/volume/commands';
import { ExitStatus } from '../exit-codes.ts';
import { writeResult } from '../output/result.ts';
import { placeOf, withVolumeOptions, type VolumeOptions } from '../state/volume-place.ts';
import type { Verb } from '../verb.ts';

const damaged = 10;

export const volumeExtract: Verb = {
  name: 'volume extract',
  summary: 'copy everything that is intact out of a volume that is not mounted',
  examples: ['ensconce volume extract ./data ./rescued --key-file key'],
  exitCodes: `Exit codes:
  0    everything was copied
  1    the volume cannot be opened
  2    wrong usage
  10   something was damaged and is missing from the copy`,
  define(command, io) {
    withVolumeOptions(
      command.argument('<dir>', 'folder of the volume').argument('<destination>', 'folder for the copy'),
    )
      .option('--json', 'write JSON')
      .action((directory: string, destination: string, options: VolumeOptions & { json?: true }) => {
        mkdirSync(destination, { recursive: true });
        let files = 0;
        const report = extract(placeOf(io, directory, options), destination, () => {
          if (++files % 1000 === 0) io.stderr(`volume: ${files} files copied\n`);
        });
        writeResult(io, options, { ...report }, () =>
          [
            ...report.problems.map((problem) => `missing: ${problem}`),
            `${report.files} files, ${report.bytes} bytes copied to ${destination}`,
          ].join('\n'),
        );
        if (report.problems.length > 0) throw new ExitStatus(damaged);
      });
  },
};
