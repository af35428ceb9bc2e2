import { createBrowserRouter } from 'react-router-dom';
import { Layout, Loading } from './Layout.jsx';
import { loadCatalogue, loadLamp, loadWorkshops } from './data.js';
import { About } from './pages/About.jsx';
import { Failure } from './pages/Failure.jsx';
import { Home } from './pages/Home.jsx';
import { NotFound } from './pages/NotFound.jsx';
import { Product } from './pages/Product.jsx';

const pages = [
  { index: true, loader: loadCatalogue, element: <Home /> },
  { path: 'about', loader: loadWorkshops, element: <About /> },
  { path: 'products/:id', loader: loadLamp, element: <Product /> },
  { path: '*', element: <NotFound /> },
];

// Pages fail inside the layout, so that a reader always has somewhere to go.
export const router = createBrowserRouter(
  [
    {
      path: '/',
      element: <Layout />,
      HydrateFallback: Loading,
      children: [{ errorElement: <Failure />, children: pages }],
    },
  ],
  {
    future: {
      v7_fetcherPersist: true,
      v7_normalizeFormMethod: true,
      v7_partialHydration: true,
      v7_relativeSplatPath: true,
      v7_skipActionErrorRevalidation: true,
    },
  },
);
