import { isRouteErrorResponse, useRouteError } from 'react-router-dom';
import { Page } from '../Page.jsx';
import { NotFound } from './NotFound.jsx';

export function Failure() {
  const error = useRouteError();
  if (isRouteErrorResponse(error) && error.status === 404) return <NotFound />;
  return (
    <Page className="prose" title="Something failed" heading="A fuse has blown" lead="This page could not be loaded.">
      <p className="muted"><code>{error?.message ?? String(error)}</code></p>
      <p className="actions">
        <button className="button" type="button" onClick={() => window.location.reload()}>Try again</button>
      </p>
    </Page>
  );
}
