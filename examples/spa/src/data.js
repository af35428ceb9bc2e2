// Reads the catalogue's JSON files. Behind a single-page app a file that does
// not exist is often answered with index.html and status 200, so the content
// type is what tells data from the fallback.
async function getJSON(path, init) {
  const response = await fetch(path, init);
  const type = response.headers.get('content-type') ?? '';
  if (!response.ok || !type.includes('json')) {
    throw new Error(`read ${path}: got ${response.status} ${type || 'without a type'}`);
  }
  return response.json();
}

export const loadCatalogue = ({ request }) => getJSON('/data/lamps.json', { signal: request.signal });

export const loadWorkshops = ({ request }) => getJSON('/data/workshops.json', { signal: request.signal });

export async function loadLamp({ params, request }) {
  const lamps = await loadCatalogue({ request });
  const index = lamps.findIndex((lamp) => lamp.id === params.id);
  if (index < 0) {
    throw new Response('no such lamp', { status: 404 });
  }
  const details = await getJSON(`/data/lamps/${lamps[index].id}.json`, { signal: request.signal });
  return { ...lamps[index], ...details, next: lamps[(index + 1) % lamps.length] };
}

// What the server says now, past the browser's own cache.
export const fetchRelease = (signal) => getJSON('/release.json', { cache: 'no-store', signal });
