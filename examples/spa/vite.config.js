import { existsSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vite';

// The release this build is. RELEASE in the environment wins, then the file
// RELEASE (edit it to make the next one), then the commit CodeBuild checked out.
function currentRelease(env) {
  const file = new URL('./RELEASE', import.meta.url);
  const written = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const candidates = [env.RELEASE, written, env.CODEBUILD_RESOLVED_SOURCE_VERSION];
  return candidates.map((text) => text?.trim()).find(Boolean) ?? 'dev';
}

// Each release gets one of four accents, so that two releases differ at a glance.
function accentOf(release) {
  if (/^\d+$/.test(release)) return Number(BigInt(release) % 4n);
  return [...release].reduce((sum, char) => sum + char.codePointAt(0), 0) % 4;
}

const escapes = { '&': '&amp;', '"': '&quot;', '<': '&lt;', '>': '&gt;' };
const escapeAttribute = (text) => text.replace(/[&"<>]/g, (char) => escapes[char]);

// Writes the release where it can be read without running the app: on the root
// element of index.html, and in release.json.
function stampRelease(release) {
  const unstamped = '<div id="root" data-release="dev" data-accent="0">';
  const stamped = `<div id="root" data-release="${escapeAttribute(release)}" data-accent="${accentOf(release)}">`;
  const json = `${JSON.stringify({ release })}\n`;
  return {
    name: 'stamp-release',
    transformIndexHtml: {
      order: 'pre',
      handler(html) {
        if (!html.includes(unstamped)) {
          throw new Error(`stamp index.html: it has no ${unstamped}`);
        }
        return html.replace(unstamped, () => stamped);
      },
    },
    configureServer(server) {
      server.middlewares.use('/release.json', (_request, response) => {
        response.setHeader('Content-Type', 'application/json');
        response.end(json);
      });
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'release.json', source: json });
    },
  };
}

export default defineConfig(() => {
  const release = currentRelease(process.env);
  return {
    plugins: [stampRelease(release)],
    define: { __RELEASE__: JSON.stringify(release) },
    esbuild: { jsx: 'automatic' },
    build: {
      target: 'es2020',
      assetsInlineLimit: 0,
      sourcemap: false,
      rollupOptions: {
        output: {
          // React changes when it is upgraded, not with every release: its own
          // file keeps its name from one release to the next.
          manualChunks: (id) => (/node_modules.(react|react-dom|scheduler)[\\/]/.test(id) ? 'react' : undefined),
        },
      },
    },
  };
});
