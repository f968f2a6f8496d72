import type { ImageDescription } from '@ensconce/measurement/image';
import { CasError } from '../errors.ts';

/** Holds the layers that a session lists for an image, by their roots, against those that were measured. `where` names the service. */
export function checkLayers(
  listed: readonly string[],
  description: ImageDescription,
  image: string,
  where: string,
): void {
  const measured = description.layers;
  if (listed.length === measured.length && listed.every((root, i) => root === measured[i])) return;
  throw new CasError(
    'CAS_SERVICE_REFUSED',
    `service '${where}': the ${measured.length} sealed layers that were measured expected in image '${image}', ` +
      `${listed.length} others or in another order found`,
    {
      hint: 'the session is of another build of the image: update it with the one that ensconce image wrote',
    },
  );
}
