/*
 * ann_faiss.cpp - FAISS (Debian: libfaiss-dev libopenblas-dev), see ann_peer.hpp
 *
 * CONFIG is a string of its index factory, as IVF4096,Flat or IVF4096,PQ128x4fs,RFlat; a setting is nprobe, or nprobe:k_factor where the
 * index refines. Of its k-means: 10 turns over 64 rows a list, the least that FAISS does not warn of being few.
 */
#include "ann_peer.hpp"

#include <faiss/IndexIVF.h>
#include <faiss/IndexRefine.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <memory>
#include <omp.h>

static faiss::IndexIVF *lists_of(faiss::Index *index)
{
    if (auto *refine = dynamic_cast<faiss::IndexRefine *>(index))
        index = refine->base_index;
    auto *lists = dynamic_cast<faiss::IndexIVF *>(index);
    if (!lists)
        ann::stop("CONFIG has no inverted lists");
    return lists;
}

static void build(const ann::options &o, const std::string &peer)
{
    constexpr long PART = 100000, TRAINING_ROWS = 64;
    omp_set_num_threads(o.threads);
    std::unique_ptr<faiss::Index> index(
        faiss::index_factory(ann::DIM, o.config.c_str(), faiss::METRIC_INNER_PRODUCT));
    faiss::IndexIVF *lists = lists_of(index.get());
    lists->cp.niter = 10;
    lists->cp.max_points_per_centroid = TRAINING_ROWS;
    double start = ann::seconds(), cpu = ann::cpu_seconds();
    index->train(std::min(o.n_rows, (long)lists->nlist * TRAINING_ROWS), o.base);
    for (long first = 0; first < o.n_rows; first += PART)
        index->add(std::min(PART, o.n_rows - first), o.base + first * ann::DIM);
    ann::note_build(peer, o, start, cpu);
    faiss::write_index(index.get(), o.index.c_str());
    ann::note_disk(peer, o);
}

int main(int argc, char **argv)
{
    ann::options o = ann::parse(argc, argv);
    std::string peer = "faiss " + o.config;
    if (o.build) {
        build(o, peer);
        return 0;
    }
    ann::queries q = ann::load_queries(o);
    double start = ann::seconds();
    std::unique_ptr<faiss::Index> index(faiss::read_index(o.index.c_str()));
    faiss::IndexIVF *lists = lists_of(index.get());
    auto *refine = dynamic_cast<faiss::IndexRefine *>(index.get());
    auto search = [&](int, const float *query, int64_t *ids) {
        float scores[ann::K];
        omp_set_num_threads(1); /* of this thread */
        index->search(1, query, ann::K, scores, ids);
    };
    int64_t ids[ann::K];
    search(0, q.vectors, ids);
    ann::note(peer, o, "open_s", ann::seconds() - start);
    for (const std::string &setting : ann::split(o.settings, ',')) {
        std::vector<std::string> parts = ann::split(setting, ':');
        lists->nprobe = std::stoul(parts.at(0));
        if (refine)
            refine->k_factor = std::stof(parts.at(1));
        ann::measure(peer, o, "nprobe=" + setting, q, search);
    }
    ann::note(peer, o, "memory_mib", ann::own_mib());
}
