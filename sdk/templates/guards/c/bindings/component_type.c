// The bindings ask for an object file that tells the component's world. `weir plugin build` embeds the world itself, from
// `wit/`, so that nothing is needed here but the name.
void __component_type_object_force_link_adapter(void);
void __component_type_object_force_link_adapter(void) {}
