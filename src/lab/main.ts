// The page's start: one engine, the sections, and a line that says what is wrong when something is.
import { createEngine, version } from '../root.js';
import { startPlane } from './phase-plane.js';
import { startRegression } from './regression.js';

const status = document.querySelector<HTMLElement>('#status')!;

function failed(error: unknown): void {
  status.textContent = error instanceof Error ? error.message : String(error);
  status.classList.add('error');
}

try {
  const engine = await createEngine({ variant: 'auto', workers: 'auto' });
  status.textContent = `infinite-width ${version}, kernels '${engine.variant}', ${engine.workers} workers`;
  startRegression(document.querySelector<HTMLElement>('#regression')!, engine, failed);
  startPlane(document.querySelector<HTMLElement>('#plane')!, engine, failed);
} catch (error) {
  failed(error);
}
