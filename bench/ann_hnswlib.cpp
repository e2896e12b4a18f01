/*
 * ann_hnswlib.cpp - hnswlib (Debian: libhnswlib-dev), see ann_peer.hpp
 *
 * CONFIG is M:ef_construction, a setting is ef.
 */
#include "ann_peer.hpp"

#include <hnswlib/hnswlib.h>

using index_type = hnswlib::HierarchicalNSW<float>;

static void build(const ann::options &o, const std::string &peer, hnswlib::SpaceInterface<float> *space)
{
    std::vector<std::string> config = ann::split(o.config, ':');
    double start = ann::seconds(), cpu = ann::cpu_seconds();
    index_type index(space, o.n_rows, std::stoul(config.at(0)), std::stoul(config.at(1)));
    std::atomic<long> next{0};
    auto work = [&] {
        for (long i; (i = next++) < o.n_rows;)
            index.addPoint(o.base + i * ann::DIM, i);
    };
    std::vector<std::thread> others;
    for (int i = 1; i < o.threads; i++)
        others.emplace_back(work);
    work();
    for (std::thread &other : others)
        other.join();
    ann::note_build(peer, o, start, cpu);
    index.saveIndex(o.index);
    ann::note_disk(peer, o);
}

int main(int argc, char **argv)
{
    ann::options o = ann::parse(argc, argv);
    std::string peer = "hnswlib " + o.config;
    hnswlib::InnerProductSpace space(ann::DIM);
    if (o.build) {
        build(o, peer, &space);
        return 0;
    }
    ann::queries q = ann::load_queries(o);
    double start = ann::seconds();
    index_type index(&space, o.index);
    auto search = [&](int, const float *query, int64_t *ids) {
        auto found = index.searchKnn(query, ann::K);
        for (size_t i = found.size(); i-- > 0; found.pop())
            ids[i] = (int64_t)found.top().second;
    };
    int64_t ids[ann::K];
    search(0, q.vectors, ids);
    ann::note(peer, o, "open_s", ann::seconds() - start);
    for (const std::string &ef : ann::split(o.settings, ',')) {
        index.setEf(std::stoul(ef));
        ann::measure(peer, o, "ef=" + ef, q, search);
    }
    ann::note(peer, o, "memory_mib", ann::own_mib());
}
