import { Link, useLocation } from 'react-router-dom';
import { Page } from '../Page.jsx';

export function NotFound() {
  const { pathname } = useLocation();
  return (
    <Page className="prose" title="Not found" heading="It is dark in here" lead={<>There is no page at <code>{pathname}</code>.</>}>
      <meta name="robots" content="noindex" />
      <p className="actions"><Link className="button" to="/">Back to the lamps</Link></p>
    </Page>
  );
}
