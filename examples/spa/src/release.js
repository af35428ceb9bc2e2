// The release of the script and of the page that loaded it. They are the same
// unless a cache has mixed two releases.
export const scriptRelease = __RELEASE__;
export const pageRelease = document.getElementById('root').dataset.release;

// Commit IDs are shown as git shows them.
export const short = (release) => (/^[0-9a-f]{40}$/.test(release) ? release.slice(0, 7) : release);
