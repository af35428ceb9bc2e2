import { useEffect, useRef } from 'react';
import { Link, NavLink, Outlet, ScrollRestoration, useLocation, useNavigation } from 'react-router-dom';
import mark from './assets/mark.svg';
import { pageRelease, short } from './release.js';

export function Layout() {
  const main = useFocusOnNavigation();
  const loading = useNavigation().state === 'loading';
  return (
    <>
      <a className="skip" href="#main">Skip to content</a>
      <header className="bar wrap">
        <Link className="brand" to="/">
          <img src={mark} alt="" width="28" height="28" />
          Evenlight
        </Link>
        <nav aria-label="Main">
          <NavLink to="/" end>Lamps</NavLink>
          <NavLink to="/about">About</NavLink>
        </nav>
        <ReleaseBadge />
      </header>
      <main id="main" className="wrap" ref={main} tabIndex={-1} aria-busy={loading}>
        <Outlet />
      </main>
      <footer className="foot wrap">
        <p>Evenlight is not a real company; its lamps are drawings.</p>
        <p><Link to="/about">Which release is this?</Link></p>
      </footer>
      <ScrollRestoration />
    </>
  );
}

export function Loading() {
  return <p className="wrap loading" role="status">Lighting up…</p>;
}

function ReleaseBadge() {
  return (
    <Link className="badge" to="/about#release" title={`Release ${pageRelease}`}>
      Release <strong>{short(pageRelease)}</strong>
    </Link>
  );
}

// A new page takes the focus, as a document load would: screen readers then
// read it, and Tab starts at its top. The first page leaves the focus alone.
function useFocusOnNavigation() {
  const main = useRef(null);
  const { pathname } = useLocation();
  const shown = useRef(pathname);
  useEffect(() => {
    if (shown.current === pathname) return;
    shown.current = pathname;
    (main.current.querySelector('h1') ?? main.current).focus({ preventScroll: true });
  }, [pathname]);
  return main;
}
