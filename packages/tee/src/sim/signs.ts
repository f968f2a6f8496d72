import type { Sign } from '../sign.ts';

/** Simulation is what there is where nothing else is: nothing can hint at it. */
export const signs: readonly Sign[] = [];
