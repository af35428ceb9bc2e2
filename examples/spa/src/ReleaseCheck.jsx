import { useEffect, useState } from 'react';
import { fetchRelease } from './data.js';
import { pageRelease, scriptRelease, short } from './release.js';

const unknown = 'unknown';

// Shows the release of each part of the site side by side. They differ only
// while some cache still answers with an earlier release.
export function ReleaseCheck() {
  const [served, setServed] = useState(null);
  useEffect(() => {
    const abort = new AbortController();
    fetchRelease(abort.signal).then(
      ({ release }) => setServed(release),
      () => abort.signal.aborted || setServed(unknown),
    );
    return () => abort.abort();
  }, []);
  const parts = [
    ['This page', 'index.html', pageRelease],
    ['Its script', 'assets/', scriptRelease],
    ['The server now', 'release.json', served],
  ];
  return (
    <section id="release" aria-labelledby="release-heading">
      <h2 id="release-heading">Which release is this?</h2>
      <dl className="facts">
        {parts.map(([part, file, release]) => (
          <div key={part}>
            <dt>{part} <code>{file}</code></dt>
            <dd>{release === null ? '…' : short(release)}</dd>
          </div>
        ))}
      </dl>
      <p className="muted" role="status">{served === null ? 'Asking the server…' : judge(served)}</p>
    </section>
  );
}

function judge(served) {
  if (served === unknown) return 'The server did not say which release it serves.';
  if (pageRelease === scriptRelease && scriptRelease === served) return 'All parts are of the same release.';
  return 'The parts are of different releases: a cache still holds an earlier one.';
}
