// The same for workerd.
export default {
  fetch() {
    return new Response("hello");
  },
};
