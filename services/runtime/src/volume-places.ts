import { posix } from 'node:path';
import type { Configuration, ConfiguredVolume } from '@ensconce/wire/configuration';
import { RuntimeError } from './errors.ts';

/** A volume, as messages call it. */
export const what = ({ name, path }: Pick<ConfiguredVolume, 'name' | 'path'>): string =>
  `volume ${name} at ${path}`;

/** Folders that the runtime itself makes. */
const taken = ['/dev', '/proc', '/sys'];

/**
 * What the policy has in memory, and what the runtime makes, is neither hidden by a volume nor written to one.
 *
 * @throws RuntimeError `CONFIGURATION`
 */
export function checkPlaces(
  configuration: Pick<Configuration, 'hostFiles' | 'injectionFiles'>,
  volumes: readonly Pick<ConfiguredVolume, 'name' | 'path'>[],
): void {
  const inside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
  for (const volume of volumes) {
    const { path } = volume;
    if (path !== posix.resolve(path) || path === '/' || taken.some((folder) => inside(path, folder)))
      throw new RuntimeError(
        'CONFIGURATION',
        `volume ${volume.name}: a folder of the image's own expected as its path, ${path} found`,
      );
    const made = [...configuration.hostFiles, ...configuration.injectionFiles.map((file) => file.path)];
    const hidden = made.find((file) => inside(posix.resolve(file), path));
    if (hidden !== undefined)
      throw new RuntimeError(
        'CONFIGURATION',
        `${what(volume)}: it would hide the file ${hidden} of the policy`,
        {
          hint: 'give the file or the volume another place',
        },
      );
  }
}
